//! Last good: its key in the data that the virtual machines of a process share.

/// Returns the key of a plugin's last good configuration. Shared data belongs to a virtual machine id, which other plugins
/// may have too: hence the root id.
pub(crate) fn key(root_id: Option<Vec<u8>>) -> String {
    let root_id = String::from_utf8(root_id.unwrap_or_default());
    format!("corsward.{}.last_good", root_id.unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_plugin_of_a_machine_has_a_key_of_its_own() {
        for (why, root_id, want) in [
            ("as the publisher names it", Some(&b"corsward"[..]), "corsward.corsward.last_good"),
            ("another plugin", Some(b"other"), "corsward.other.last_good"),
            ("bytes that are no text", Some(b"\xff"), "corsward..last_good"),
            ("no root id", None, "corsward..last_good"),
        ] {
            assert_eq!(key(root_id.map(<[u8]>::to_vec)), want, "{why}");
        }
    }
}
