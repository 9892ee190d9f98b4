//! PT-13 to PT-15. The suite of every changer, run by each kind of them, and by kinds that are put together.

use pseudotape_changer::{Changer, ChangerLeg, MirrorChanger, RemoteChanger};
use pseudotape_testkit::ChangerRig;
use pseudotape_testkit::changers::{InProcess, MemoryBays, design, memory_changer};

/// A library with its drives, and its drives once more.
fn library() -> (Box<dyn Changer>, MemoryBays) {
    let (changer, bays) = memory_changer(design(2, 1, 4), 3);
    (Box::new(changer), bays)
}

fn remote() -> (Box<dyn Changer>, MemoryBays) {
    let (changer, bays) = library();
    let road = InProcess::new(changer);
    let remote = RemoteChanger::connect(road, "suite".into()).unwrap();
    (Box::new(remote), bays)
}

fn mirrored(legs: Vec<(Box<dyn Changer>, MemoryBays)>) -> ChangerRig {
    let bays: Vec<MemoryBays> = legs.iter().map(|(_, bays)| bays.clone()).collect();
    let legs = legs.into_iter().zip(["A", "B", "C"]);
    let legs = legs.map(|((changer, _), name)| ChangerLeg {
        name: name.to_owned(),
        libraries: vec![(format!("{name}0"), changer)],
    });
    let mirror = MirrorChanger::new("PTM1".into(), legs.collect()).unwrap();
    ChangerRig::new(Box::new(mirror), &bays)
}

mod a_library {
    pseudotape_testkit::changer_suite!(|| {
        let (changer, bays) = super::library();
        super::ChangerRig::new(changer, &[bays])
    });
}

mod a_remote_changer {
    pseudotape_testkit::changer_suite!(|| {
        let (changer, bays) = super::remote();
        super::ChangerRig::new(changer, &[bays])
    });
}

mod a_mirror_of_two_libraries {
    pseudotape_testkit::changer_suite!(|| super::mirrored(vec![
        super::library(),
        super::library()
    ]));
}

mod a_mirror_with_a_remote_leg {
    pseudotape_testkit::changer_suite!(|| {
        super::mirrored(vec![super::library(), super::remote(), super::library()])
    });
}

mod a_remote_mirror {
    use super::{Changer, InProcess, RemoteChanger};

    pseudotape_testkit::changer_suite!(|| {
        let mut rig = super::mirrored(vec![super::remote(), super::library()]);
        let (near, _) = super::library();
        let changer: Box<dyn Changer> = std::mem::replace(&mut rig.changer, near);
        let remote = RemoteChanger::connect(InProcess::new(changer), "suite".into()).unwrap();
        rig.changer = Box::new(remote);
        rig
    });
}
