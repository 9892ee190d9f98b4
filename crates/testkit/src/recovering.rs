//! A drive that has to repair something now and then.

use pseudotape_fault::{Fault, Faulty};
use pseudotape_tape::Volume;

/// A drive whose first writes succeed after a repair (RECOVERED ERROR), one error each, so many errors in all.
#[must_use]
pub fn recovering<V: Volume>(volume: V, errors: u32) -> Faulty<V> {
    let drive = Faulty::new(volume);
    if errors > 0 {
        let fault = format!("recovered,on=write,times={errors}");
        let fault: Fault = fault.parse().expect("a fault");
        let injected = drive.faults().inject(vec![fault]);
        injected.expect("a new list has room");
    }
    drive
}
