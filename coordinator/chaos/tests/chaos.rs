//! Three processes, twenty writers, a minute of kill -9, SIGSTOP and partitions.

use std::process::Command;

/// `PICKET_CHAOS_SEED` and `PICKET_CHAOS_SECONDS` choose another run.
#[test]
fn real_processes_keep_every_promise_under_faults() {
    let mut command = Command::new(env!("CARGO_BIN_EXE_picket-coordinator-chaos"));
    command.arg("run");
    for (option, name) in [("--seed", "PICKET_CHAOS_SEED"), ("--seconds", "PICKET_CHAOS_SECONDS")] {
        if let Ok(value) = std::env::var(name) {
            command.args([option, &value]);
        }
    }
    let output = command.output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    println!("{said}{}", String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "a promise was broken; the same faults once more: PICKET_CHAOS_SEED");
}
