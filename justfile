# The commands a person types; CI calls the same ones.

# Lists the recipes.
default:
    @{{just_executable()}} --list --unsorted

# Runs the service: memory store, no set-up.
serve *flags:
    cargo run --release -- {{flags}}

# Everything that needs no other server, in the way README.md says.
test:
    cargo test

# The unit tests: what is in the library itself. Shows how long they take once compiled.
test-unit:
    cargo test -p larder --lib --no-run --quiet
    @bash -c 'time cargo test -p larder --lib --quiet'

# Every method of the published Python client against the binary. Needs Python 3.12 and the package index.
test-client *flags:
    cargo build --release
    tests/client/run {{flags}}

# The Python service and the binary take turns on one store of each kind; `--everything` at length.
# Needs Python 3.12 and the package index, and for the bucket an S3 server in LARDER_TEST_S3_ENDPOINT.
test-turns *flags:
    cargo build --release
    tests/turns/run {{flags}}

# The commands of the deployment guides in docs/, as they stand there. S3 in LARDER_TEST_S3_ENDPOINT;
# says what it needs, and what is left out with `--without NEED`.
docs-check *flags:
    cargo build --release
    docs/run {{flags}}

# Thousands of generated requests, held to the OpenAPI document. Needs Python and the package index.
test-fuzz *flags:
    cargo build --release
    tests/schemathesis/run {{flags}}

# The storage contract on every embedded store, at length: minutes, with a seed of its own each time.
conformance-long:
    LARDER_CONFORMANCE_CASES=1000 LARDER_CONFORMANCE_SEED=random cargo test -p larder-conformance --no-fail-fast

# `kill -9` of the service under load, 200 times on every store that keeps what it is given: minutes.
kills:
    LARDER_KILLS=200 cargo test --test kills -- --nocapture

# Has the service on memory become slower? `--plant 30` shows that it would be noticed.
perf-gate *flags:
    cargo bench -p larder --no-default-features --bench gate -- {{flags}}

# The service on memory at length, with statistics: every operation at 1,000 and 1,000,000 entries.
bench *flags:
    cargo bench -p larder --no-default-features --bench service -- {{flags}}

# Published storage libraries, held to the contract: what fails is written up in conformance/FINDINGS.md.
conformance-strangers:
    cd conformance/examples/strangers && cargo test --no-fail-fast

# The HTTP API of a server that runs, in namespaces of its own: `just conformance-http http://127.0.0.1:8080`.
conformance-http url *flags:
    cargo run --release -p larder-conformance --features command -- run --http {{url}} {{flags}}

# The storage contract on S3, on a server in the process.
conformance-s3:
    cargo test -p larder-conformance --test s3

# The API, the contract and the costs on real S3 servers: LocalStack in a container, or the server at
# LARDER_TEST_S3_ENDPOINT. Arguments pick tests, as with `cargo test --`.
test-integration *filter:
    cargo test --features larder-integration/engine --test integration -- {{filter}}

# The black-box suite against what is really used: a deployment (LARDER_QA_URL, LARDER_QA_API_KEY), a bucket
# of S3 (LARDER_QA_S3_BUCKET and the AWS variables), or both. Works in namespaces of its own and clears them.
test-qa *filter:
    LARDER_TEST_TIER=qa cargo test --features larder-integration/engine --test integration -- {{filter}}

# Every store next to the ceiling of its medium.
bench-storage *flags:
    cargo bench -p larder --bench storage -- {{flags}}

# The binary under load, next to the least a server can do. Needs `wrk`; `--python PYTHON` adds the
# Python service, where it is installed.
load *flags:
    cargo bench -p larder --bench http -- {{flags}}

# Resident bytes of an entry in memory mode.
memory *flags:
    cargo bench -p larder --bench memory -- {{flags}}

# What size costs, for the store and for a body: `just scale --entries 1000000`.
scale *flags:
    cargo bench -p larder --bench scale -- {{flags}}

# Measures stores, load and memory again and draws docs/performance.svg of it.
performance-picture *flags:
    @{{just_executable()}} bench-storage --json docs/performance/storage.json
    @{{just_executable()}} load --json docs/performance/http.json {{flags}}
    @{{just_executable()}} memory --json docs/performance/memory.json
    python3 docs/performance/draw.py

# Format, lints, documentation, tests: what must hold before a commit.
check:
    cargo fmt --all --check
    cargo clippy --workspace --all-targets --locked -- -D warnings
    RUSTDOCFLAGS="-D warnings" cargo doc --workspace --no-deps --locked
    cargo test --workspace --locked
