//! Error chain: an error with its causes, as a line of a log or of a command has it.

use std::error::Error;
use std::iter;

/// The words of an error and of each cause that adds some. The words of an error of a client name its layer alone, and leave the reason to
/// its causes.
pub fn in_one_line(error: &dyn Error) -> String {
    let causes = iter::successors(error.source(), |&cause| cause.source());
    causes.map(ToString::to_string).fold(error.to_string(), |sentence, words| {
        if sentence.contains(&words) { sentence } else { format!("{sentence}: {words}") }
    })
}
