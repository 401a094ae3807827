//! The operator binary.

fn main() {
    println!("{}", serde_saphyr::to_string(&corsward_operator::api::definition()).unwrap_or_default());
}
