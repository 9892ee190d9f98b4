use super::*;

fn command() -> ReadElementStatus {
    ReadElementStatus {
        element_type: None,
        volume_tags: true,
        device_ids: true,
        current_data: false,
        start: 0,
        count: u16::MAX,
        allocation: 0xff_ffff,
    }
}

fn elements() -> Vec<ElementDescriptor> {
    let new = ElementDescriptor::new;
    vec![
        new(ElementType::Transport, 1),
        ElementDescriptor {
            full: true,
            access: false,
            source: Some(0x1000),
            volume_tag: Some("A00001L6".to_owned()),
            device_id: Some(b"\x02\x01\0\x05drive".to_vec()),
            ..new(ElementType::DataTransfer, 0x100)
        },
        ElementDescriptor {
            exception: Some(Reason::MAGAZINE_NOT_ACCESSIBLE),
            device_id: Some(b"\x02\x01\0\x02d2".to_vec()),
            ..new(ElementType::DataTransfer, 0x101)
        },
        ElementDescriptor {
            imports: true,
            exports: true,
            placed_by_operator: true,
            full: true,
            ..new(ElementType::ImportExport, 0x300)
        },
        ElementDescriptor {
            full: true,
            inverted: true,
            source: Some(0x1001),
            volume_tag: Some("B00002".to_owned()),
            ..new(ElementType::Storage, 0x1000)
        },
        new(ElementType::Storage, 0x1001),
    ]
}

#[test]
fn a_slot_with_a_tag_has_the_bytes_of_the_standard() {
    let all = elements();
    let data = element_status(&command(), &all[4..5]);
    let mut expected = vec![
        0x10, 0x00, 0, 1, 0, 0, 0, 60, // header
        2, 0x80, 0, 52, 0, 0, 0, 52, // page
        0x10, 0x00, 0x09, 0, 0, 0, 0, 0, 0, 0xc0, 0x10, 0x01, // descriptor
    ];
    expected.extend_from_slice(b"B00002                          \0\0\0\0");
    expected.extend_from_slice(&[0, 0, 0, 0]);
    assert_eq!(data, expected);
}

#[test]
fn a_drive_without_a_tag_has_the_bytes_of_the_standard() {
    let plain = ReadElementStatus {
        volume_tags: false,
        ..command()
    };
    let data = element_status(&plain, &elements()[1..3]);
    let expected = [
        0x01, 0x00, 0, 2, 0, 0, 0, 50, // header
        4, 0, 0, 21, 0, 0, 0, 42, // page: the longest identifier has 5 bytes
        0x01, 0x00, 0x01, 0, 0, 0, 0, 0, 0, 0x80, 0x10, 0x00, 2, 1, 0, 5, b'd', b'r', b'i', b'v',
        b'e', // the first drive
        0x01, 0x01, 0x0c, 0, 0x3b, 0x11, 0, 0, 0, 0, 0, 0, 2, 1, 0, 2, b'd', b'2', 0, 0,
        0, // the second
    ];
    assert_eq!(data, expected);
}

#[test]
fn what_was_reported_is_read_again() {
    let data = element_status(&command(), &elements());
    let report = decode_element_status(&data).unwrap();
    assert_eq!(report.elements, elements());
    assert_eq!(report.available, 6);
    assert_eq!(report.report_bytes as usize, data.len());
    assert!(report_max_bytes(6, 5) as usize >= data.len());
}

#[test]
fn tags_and_identities_come_only_where_they_were_asked_for() {
    let bare = ReadElementStatus {
        volume_tags: false,
        device_ids: false,
        ..command()
    };
    let mut all = elements();
    for element in &mut all {
        element.device_id = None;
    }
    let report = decode_element_status(&element_status(&bare, &all)).unwrap();
    assert!(report.elements.iter().all(|e| e.volume_tag.is_none()));
    assert!(report.elements.iter().all(|e| e.device_id.is_none()));
}

#[test]
fn a_short_allocation_gets_whole_descriptors_and_the_true_lengths() {
    let whole = element_status(&command(), &elements());
    for allocation in 0..=whole.len() {
        let short = ReadElementStatus {
            allocation: u32::try_from(allocation).unwrap(),
            ..command()
        };
        let data = element_status(&short, &elements());
        assert!(data.len() <= allocation);
        if allocation < 8 {
            assert_eq!(data, whole[..allocation]);
            continue;
        }
        assert_eq!(data, whole[..data.len()], "{allocation}");
        let report = decode_element_status(&data).unwrap();
        assert_eq!(report.available, 6);
        assert_eq!(report.report_bytes as usize, whole.len());
        let sent = report.elements.len();
        assert_eq!(report.elements, elements()[..sent]);
    }
}

#[test]
fn ten_thousand_slots_fit_a_report() {
    let slots: Vec<_> = (0..10_000)
        .map(|n| ElementDescriptor::new(ElementType::Storage, 0x1000 + n))
        .collect();
    let data = element_status(&command(), &slots);
    assert_eq!(data.len(), 16 + 52 * 10_000);
    assert_eq!(decode_element_status(&data).unwrap().elements.len(), 10_000);
}

#[test]
fn bytes_that_are_no_report_are_refused() {
    assert_eq!(
        decode_element_status(&[0; 7]),
        Err(ReportError::NoHeader(7))
    );
    let mut data = element_status(&command(), &elements());
    data[8] = 9;
    assert_eq!(
        decode_element_status(&data),
        Err(ReportError::UnknownType(9))
    );
    data[8] = 1;
    data[10..12].copy_from_slice(&[0, 11]);
    let short = Err(ReportError::ShortDescriptor(11));
    assert_eq!(decode_element_status(&data), short);
}
