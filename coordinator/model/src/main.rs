//! Prints what the model checks: `cargo run -p picket-protocol-model --release -- [--all | --only NAME | --show RULE]`.

use picket_protocol_model::check::{counterexample, exhaust};
use picket_protocol_model::rules::Rule;
use picket_protocol_model::setup::Setup;
use picket_protocol_model::{configurations, switches, wide};
use std::process::ExitCode;
use std::time::Instant;

const USAGE: &str = "usage: picket-protocol-model [--all | --only NAME | --show RULE]
  (nothing)    the configurations of the tests, and every switch
  --all        the wide configurations as well: minutes, and a gigabyte
  --only NAME  one configuration, of the wide ones too
  --show RULE  the counterexample without that rule, step by step";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        [] => ExitCode::from(u8::from(search(configurations::ALL.iter()) | turn_off())),
        ["--all"] => ExitCode::from(u8::from(search(configurations::ALL.iter().chain(wide::ALL)) | turn_off())),
        ["--only", name] if known().any(|s| s.name == name) => ExitCode::from(u8::from(search(known().filter(|s| s.name == name)))),
        ["--only", name] => {
            eprintln!("no configuration is called {name}: {}", known().map(|s| s.name).collect::<Vec<_>>().join("; "));
            ExitCode::from(2)
        }
        ["--show", rule] => show(rule),
        _ => {
            eprintln!("{USAGE}");
            ExitCode::from(2)
        }
    }
}

fn known() -> impl Iterator<Item = &'static Setup> {
    configurations::ALL.iter().chain(wide::ALL)
}

/// Searches each configuration to its end; true when one does not hold.
fn search<'a>(setups: impl Iterator<Item = &'a Setup>) -> bool {
    let mut failed = false;
    println!("{:<28} {:>10} {:>6} {:>8}  found", "configuration", "states", "depth", "s");
    for setup in setups {
        let begun = Instant::now();
        let done = exhaust(*setup);
        let found = done.broken.as_ref().map_or_else(|| "nothing".to_owned(), |b| format!("{:?} in {} steps", b.breaks, b.steps.len()));
        let missed = if done.unreached.is_empty() { String::new() } else { format!("; never: {}", done.unreached.join(", ")) };
        println!("{:<28} {:>10} {:>6} {:>8.1}  {found}{missed}", setup.name, done.states, done.depth, begun.elapsed().as_secs_f64());
        failed |= done.broken.is_some() || !done.unreached.is_empty() || done.states < setup.states_min;
    }
    failed
}

/// Turns each switch off; true when nothing breaks, or something else than it should.
fn turn_off() -> bool {
    let mut failed = false;
    println!("\n{:<18} {:<14} {:<28} {:<6} steps", "without", "and without", "configuration", "breaks");
    for switch in switches::ALL {
        let masked: Vec<_> = switch.masked_by.iter().map(|r| format!("{r:?}")).collect();
        let found = counterexample(switch.off());
        let steps = found.as_ref().map_or_else(|| "none found".to_owned(), |c| c.steps.len().to_string());
        let breaks = found.as_ref().map_or("-", |c| c.breaks.as_str());
        println!("{:<18} {:<14} {:<28} {breaks:<6} {steps}", format!("{:?}", switch.rule), masked.join(" "), switch.setup.name);
        failed |= found.is_none_or(|c| c.breaks != switch.breaks);
    }
    failed
}

fn show(name: &str) -> ExitCode {
    let Some(rule) = Rule::ALL.into_iter().find(|r| format!("{r:?}") == name) else {
        let known: Vec<_> = Rule::ALL.iter().map(|r| format!("{r:?}")).collect();
        eprintln!("no rule is called {name}: {}", known.join(", "));
        return ExitCode::from(2);
    };
    for switch in switches::ALL.iter().filter(|s| s.rule == rule) {
        println!("without {rule:?} {:?}, in `{}`:", switch.masked_by, switch.setup.name);
        let Some(found) = counterexample(switch.off()) else {
            println!("  nothing breaks");
            continue;
        };
        found.steps.iter().enumerate().for_each(|(i, step)| println!("  {:>2} {step:?}", i + 1));
        println!("  breaks {}: {}", found.breaks.as_str(), found.breaks.says());
    }
    ExitCode::SUCCESS
}
