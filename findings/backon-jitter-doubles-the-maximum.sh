#!/usr/bin/env bash
# backon 1.6.0 adds jitter after it has bounded a delay by `with_max_delay`, and the jitter is as long as the delay: an exponential backoff
# with a maximum of 30 s waits between 30 s and 60 s, and each of its later delays exceeds the maximum.
# `kube::runtime::watcher::DefaultBackoff` of kube 5.0 is that backoff.
#
# Output seen: backon 1.6.0: 1000 of 1000 delays exceed the maximum of 30s
# Needs: cargo.
set -euo pipefail
folder=$(mktemp -d); trap 'rm -rf "$folder"' EXIT
mkdir "$folder/src"
cat > "$folder/Cargo.toml" <<'TOML'
[package]
name = "finding"
version = "0.0.0"
edition = "2021"

[dependencies]
backon = { version = "=1.6.0", default-features = false, features = ["std"] }
TOML
cat > "$folder/src/main.rs" <<'RUST'
use std::time::Duration;

use backon::{BackoffBuilder, ExponentialBuilder};

fn main() {
    let max = Duration::from_secs(30);
    let backoff = ExponentialBuilder::default()
        .with_min_delay(Duration::from_millis(800))
        .with_max_delay(max)
        .with_jitter()
        .with_jitter_seed(1)
        .without_max_times()
        .build();
    let delays: Vec<Duration> = backoff.skip(10).take(1000).collect();
    let longer = delays.iter().filter(|delay| **delay > max).count();
    println!("backon 1.6.0: {longer} of {} delays exceed the maximum of {max:?}", delays.len());
}
RUST
seen=$(cd "$folder" && CARGO_TARGET_DIR=$folder/target cargo run --quiet)
echo "$seen"
[ "$seen" = "backon 1.6.0: 1000 of 1000 delays exceed the maximum of 30s" ]
