//! The user's rules, on real nodes: set by a person, asked by the leader, whoever the proposal reached.

use crate::group::Group;
use crate::watch::{propose_on, ready_to_act};
use picket_core::coordination::{Answer, Command, Decision};
use picket_core::ids::{AgentKind, Principal};
use picket_core::limits::LimitRule;
use picket_core::policy::Policy;
use picket_core::ports::{Coordinator as _, PortError};

async fn set(group: &Group, rules: &str) -> Result<Answer, PortError> {
    let person = group.human(&[1, 2, 3]);
    let policy = person.policy().await.unwrap();
    let version = policy.version + 1;
    let policy = Policy { version, rules: [(AgentKind::Sre, rules.to_owned())].into(), ..policy };
    person.submit(format!("rules-{version}-{}", rules.len()).into(), Command::SetPolicy { policy: Box::new(policy) }).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_leader_holds_every_proposal_against_the_rules_in_force() {
    let group = Group::start().await;
    let now = ready_to_act(&group).await;
    let misspelt = set(&group, "permit (principal, action, resource) when { resource.teir == 1 };").await;
    assert!(matches!(&misspelt, Err(PortError::Refused { why, .. }) if why.contains("teir")), "{misspelt:?}");

    let only_s2 = r#"
        @id("all") permit (principal, action, resource);
        @id("not-s1") forbid (principal, action, resource) when { resource.name == "s1" };
    "#;
    assert_eq!(set(&group, only_s2).await.unwrap(), Answer::Done);
    // Each call may reach any node: a follower passes it on, and the leader asks.
    let Decision::Denied { violations } = propose_on(&group, now, 1).await else { panic!("s1 is forbidden") };
    assert_eq!(violations[0].rule, LimitRule::UserPolicy);
    assert!(violations[0].reason.contains("not-s1"), "{violations:?}");
    assert!(matches!(propose_on(&group, now, 2).await, Decision::Permitted { .. }));

    let ledger = group.human(&[1, 2, 3]).entries(10).await.unwrap();
    let asked = ledger.iter().find_map(|entry| entry.asked.as_ref().filter(|asked| asked.service.name == "s2")).unwrap();
    assert_eq!((asked.agent, asked.tier, asked.ready), (AgentKind::Sre, 2, 4), "what was asked stands in the ledger");

    // The rules' word is the leader's to put down, not an agent's.
    let entry = ledger.into_iter().find(|entry| entry.asked.is_some()).unwrap();
    let ruled = picket_core::rules::Ruled { question: *entry.asked.unwrap(), policy_version: 1, answer: None };
    let forged = Command::ProposeRuled { proposal: Box::new(entry.proposal), ruled: Box::new(ruled) };
    let answer = group.client(&Principal::Agent(AgentKind::Sre), &[1, 2, 3]).submit("forged".into(), forged).await;
    assert!(matches!(answer, Err(PortError::Refused { .. })), "{answer:?}");

    assert_eq!(set(&group, "").await.unwrap(), Answer::Done);
    let Decision::Denied { violations } = propose_on(&group, now, 3).await else { panic!("nothing is permitted") };
    assert!(violations[0].reason.contains("none of the user's rules permits it"), "{violations:?}");
}
