//! Prints.
use picket_protocol_model::{check::{exhaust,counterexample}, configurations, switches};
fn main() {
    let want = std::env::args().nth(1);
    if want.as_deref() == Some("s") {
        let only = std::env::args().nth(2);
        for sw in switches::ALL {
            let name = format!("{:?}", sw.rule);
            if only.as_ref().is_some_and(|o| *o != name) { continue }
            let t = std::time::Instant::now();
            let off = counterexample(sw.off());
            let on = if sw.masked_by.is_empty() { None } else { counterexample(sw.on()) };
            let bad = off.as_ref().is_none_or(|o| o.breaks != sw.breaks) || on.is_some();
            println!("{} {:?} +{:?} in {}: want {:?} got {:?}; on {:?} {:?}", if bad {"BAD "} else {"ok  "}, sw.rule, sw.masked_by, sw.setup.name, sw.breaks, off.as_ref().map(|o| (o.breaks, o.steps.len())), on.map(|o| (o.breaks, o.steps.len())), t.elapsed());
            if only.is_some() { if let Some(b) = off { for s in b.steps { println!("      {s:?}"); } } }
        }
        return;
    }
    for setup in configurations::ALL {
        if want.as_ref().is_some_and(|w| w != setup.name) { continue }
        let t = std::time::Instant::now();
        let found = exhaust(*setup);
        println!("{:24} {:>9} states, depth {}, {:?} unreached {:?}", setup.name, found.states, found.depth, t.elapsed(), found.unreached);
        if let Some(b) = found.broken { println!("   BROKEN {:?}", b.breaks); for s in b.steps { println!("      {s:?}"); } }
    }
}
