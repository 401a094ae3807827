module corsward.io/tests/cluster/wrappers

go 1.24.0
