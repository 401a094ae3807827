//! Finds and seeds of fuzzing, replayed by plain tests.

use std::fs;
use std::path::Path;

use corsward_tests::suite::folder;

#[path = "../../policy/fuzz/laws.rs"]
#[allow(dead_code, reason = "the properties use the rest")]
mod laws;

/// A law, by the name of its fuzz target.
type Law = (&'static str, fn(&[u8]));

#[test]
fn every_find_stays_fixed() {
    let targets: [Law; 4] = [
        ("origin_round_trip", laws::origin_round_trip),
        ("pattern_self", laws::pattern_self),
        ("wire_decode", laws::wire_decode),
        ("decide_laws", laws::decide_laws),
    ];
    for (target, law) in targets {
        let mut replayed = 0;
        for kind in ["regressions", "corpus"] {
            replayed += replay(&folder().join("../policy/fuzz").join(kind).join(target), law);
        }
        assert!(replayed > 0, "{target} has neither seeds nor regressions");
    }
}

fn replay(directory: &Path, law: fn(&[u8])) -> usize {
    let files = fs::read_dir(directory).into_iter().flatten().flatten();
    let mut replayed = 0;
    for file in files {
        println!("{}", file.path().display());
        law(&fs::read(file.path()).unwrap());
        replayed += 1;
    }
    replayed
}
