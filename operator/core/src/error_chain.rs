//! Error chain: an error with its causes, as a line of a log or of a command has it.

use std::error::Error;

/// The words of an error and of each cause that adds some. The words of an error of a client name its layer alone, and leave the reason to
/// its causes.
pub fn in_one_line(error: &dyn Error) -> String {
    let mut sentence = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let words = error.to_string();
        if !sentence.contains(&words) {
            sentence = format!("{sentence}: {words}");
        }
        cause = error.source();
    }
    sentence
}
