//! Golden CDBs, both ways.

use crate::changer_command::{
    ChangerCommand, ElementRange, ElementType, ExchangeMedium, MoveMedium, ReadElementStatus,
};
use crate::primary::{Form, LogSense, ModeSense, PageControl, PrimaryCommand};
use crate::sense::{FieldPointer, Reason, Sense, SenseFormat};
use crate::tape_command::{PositionForm, TapeCommand};

fn changer(command: ChangerCommand, cdb: &[u8]) {
    assert_eq!(ChangerCommand::decode(cdb), Ok(command), "{cdb:02x?}");
    assert_eq!(command.encode(), cdb, "{command:?}");
}

fn primary(command: PrimaryCommand, cdb: &[u8]) {
    changer(ChangerCommand::Primary(command), cdb);
    tape(TapeCommand::Primary(command), cdb);
}

fn tape(command: TapeCommand, cdb: &[u8]) {
    assert_eq!(TapeCommand::decode(cdb), Ok(command), "{cdb:02x?}");
    assert_eq!(command.encode(), cdb, "{command:?}");
}

#[test]
fn commands_of_every_unit_have_the_bytes_of_the_standard() {
    use PrimaryCommand as P;
    primary(P::TestUnitReady, &[0; 6]);
    let request = |format| P::RequestSense {
        format,
        allocation: 18,
    };
    primary(request(SenseFormat::Fixed), &[3, 0, 0, 0, 18, 0]);
    primary(request(SenseFormat::Descriptor), &[3, 1, 0, 0, 18, 0]);
    let inquiry = |page| P::Inquiry {
        page,
        allocation: 0x0102,
    };
    primary(inquiry(None), &[0x12, 0, 0, 1, 2, 0]);
    primary(inquiry(Some(0x83)), &[0x12, 1, 0x83, 1, 2, 0]);
    primary(P::Reserve(Form::Six), &[0x16, 0, 0, 0, 0, 0]);
    primary(P::Release(Form::Six), &[0x17, 0, 0, 0, 0, 0]);
    primary(P::Reserve(Form::Ten), &[0x56, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
    primary(P::Release(Form::Ten), &[0x57, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
    primary(P::PreventRemoval(true), &[0x1e, 0, 0, 0, 1, 0]);
    primary(P::PreventRemoval(false), &[0x1e, 0, 0, 0, 0, 0]);
    primary(P::SelfTest, &[0x1d, 4, 0, 0, 0, 0]);
    let luns = P::ReportLuns {
        select: 2,
        allocation: 0x0102_0304,
    };
    primary(luns, &[0xa0, 0, 2, 0, 0, 0, 1, 2, 3, 4, 0, 0]);
}

#[test]
fn mode_sense_and_log_sense_have_the_bytes_of_the_standard() {
    let six = ModeSense {
        form: Form::Six,
        block_descriptors: false,
        control: PageControl::Current,
        page: 0x1d,
        subpage: 0,
        allocation: 136,
    };
    // What mtx sends.
    primary(
        PrimaryCommand::ModeSense(six),
        &[0x1a, 0x08, 0x1d, 0, 136, 0],
    );
    let ten = ModeSense {
        form: Form::Ten,
        block_descriptors: true,
        control: PageControl::Default,
        page: 0x3f,
        subpage: 0xff,
        allocation: 0x0102,
    };
    primary(
        PrimaryCommand::ModeSense(ten),
        &[0x5a, 0, 0xbf, 0xff, 0, 0, 0, 1, 2, 0],
    );
    let log = LogSense {
        control: PageControl::Changeable,
        page: 0x2e,
        subpage: 0,
        parameter: 0x0304,
        allocation: 0x0102,
    };
    primary(
        PrimaryCommand::LogSense(log),
        &[0x4d, 0, 0x6e, 0, 0, 3, 4, 1, 2, 0],
    );
}

#[test]
fn commands_of_changers_have_the_bytes_of_the_standard() {
    use ChangerCommand as C;
    changer(C::Initialize(None), &[7, 0, 0, 0, 0, 0]);
    let range = ElementRange {
        start: 0x1001,
        count: 5,
    };
    let with_range = [0x37, 1, 0x10, 1, 0, 0, 0, 5, 0, 0];
    changer(C::Initialize(Some(range)), &with_range);
    let vendor = [0xe7, 1, 0x10, 1, 0, 0, 0, 5, 0, 0];
    assert_eq!(
        C::decode(&vendor),
        Ok(C::Initialize(Some(range))),
        "the older code"
    );
    let all = [0x37, 0, 0x10, 1, 0, 0, 0, 5, 0, 0];
    assert_eq!(C::decode(&all), Ok(C::Initialize(None)), "RANGE is 0");
    let position = C::Position {
        transport: 1,
        destination: 0x1002,
        invert: true,
    };
    changer(position, &[0x2b, 0, 0, 1, 0x10, 2, 0, 0, 1, 0]);
    let medium = MoveMedium {
        transport: 1,
        source: 0x1002,
        destination: 0x0103,
        invert: true,
    };
    let cdb = [0xa5, 0, 0, 1, 0x10, 2, 1, 3, 0, 0, 1, 0];
    changer(C::Move(medium), &cdb);
    let exchange = ExchangeMedium {
        transport: 1,
        source: 0x1002,
        first_destination: 0x0103,
        second_destination: 0x1004,
        invert_first: true,
        invert_second: false,
    };
    let cdb = [0xa6, 0, 0, 1, 0x10, 2, 1, 3, 0x10, 4, 2, 0];
    changer(C::Exchange(exchange), &cdb);
    let status = ReadElementStatus {
        element_type: Some(ElementType::DataTransfer),
        volume_tags: true,
        device_ids: true,
        current_data: true,
        start: 0x0102,
        count: 0x0304,
        allocation: 0x05_0607,
    };
    let cdb = [0xb8, 0x14, 1, 2, 3, 4, 3, 5, 6, 7, 0, 0];
    changer(C::ReadElementStatus(status), &cdb);
}

#[test]
fn commands_of_drives_have_the_bytes_of_the_standard() {
    tape(TapeCommand::ReadBlockLimits, &[5, 0, 0, 0, 0, 0]);
    let forms = [
        (PositionForm::Short, 0),
        (PositionForm::ShortVendor, 1),
        (PositionForm::Long, 6),
        (PositionForm::Extended, 8),
    ];
    for (form, code) in forms {
        let command = TapeCommand::ReadPosition {
            form,
            allocation: 32,
        };
        tape(command, &[0x34, code, 0, 0, 0, 0, 0, 0, 32, 0]);
    }
}

#[test]
fn what_a_changer_does_not_know_is_an_invalid_operation_code() {
    for code in [
        0x01, 0x02, 0x08, 0x0a, 0x15, 0x28, 0x5e, 0x88, 0xa3, 0xc0, 0xff,
    ] {
        let mut cdb = [0; 16];
        cdb[0] = code;
        let sense = ChangerCommand::decode(&cdb).unwrap_err().sense();
        assert_eq!(sense, Sense::illegal(Reason::INVALID_OPERATION_CODE));
    }
}

#[test]
fn drives_take_no_command_that_moves_or_changes_anything() {
    // REWIND, READ, WRITE, WRITE FILEMARKS, SPACE, MODE SELECT, ERASE, LOAD UNLOAD, LOCATE, WRITE 16 …
    for code in [
        0x01, 0x08, 0x0a, 0x10, 0x11, 0x15, 0x19, 0x1b, 0x2b, 0x55, 0x8a, 0x92, 0xa5,
    ] {
        let mut cdb = [0; 16];
        cdb[0] = code;
        let sense = TapeCommand::decode(&cdb).unwrap_err().sense();
        assert_eq!(sense, Sense::illegal(Reason::INVALID_OPERATION_CODE));
    }
}

#[test]
fn a_field_that_cannot_be_honoured_is_pointed_at() {
    let cases: [(&[u8], FieldPointer); 12] = [
        (&[0, 0, 0, 0, 0, 4], FieldPointer::command_bit(5, 2)),
        (&[0x12, 2, 0, 0, 96, 0], FieldPointer::command_bit(1, 1)),
        (&[0x12, 0, 0x80, 0, 96, 0], FieldPointer::command(2)),
        (&[0x12, 0, 0], FieldPointer::command(3)),
        (&[0x16, 0x10, 0, 0, 0, 0], FieldPointer::command_bit(1, 4)),
        (&[0x16, 0x01, 0, 0, 0, 0], FieldPointer::command_bit(1, 0)),
        (&[0x1e, 0, 0, 0, 2, 0], FieldPointer::command_bit(4, 1)),
        (&[0x1d, 4, 0, 0, 1, 0], FieldPointer::command(3)),
        (&[0x1d, 0x24, 0, 0, 0, 0], FieldPointer::command_bit(1, 7)),
        (
            &[0x4d, 1, 0, 0, 0, 0, 0, 0, 8, 0],
            FieldPointer::command_bit(1, 0),
        ),
        (
            &[0xa0, 0, 3, 0, 0, 0, 0, 0, 0, 8, 0, 0],
            FieldPointer::command(2),
        ),
        (
            &[0xb8, 5, 0, 0, 0, 1, 0, 0, 0, 8, 0, 0],
            FieldPointer::command_bit(1, 3),
        ),
    ];
    for (cdb, field) in cases {
        let sense = ChangerCommand::decode(cdb).unwrap_err().sense();
        assert_eq!(sense, Sense::invalid_field(field), "{cdb:02x?}");
    }
}
