use super::*;
use picket_core::action::{Action, Remediation, RemediationKind};
use picket_core::cause::Cause;
use picket_core::facts::{ClusterFacts, ServiceFacts};
use picket_core::ids::ServiceId;
use picket_core::limits::{LimitRule, LimitRules, Violation};
use picket_core::phase::Phase;
use picket_core::policy::Policy;
use picket_core::ports::SafetyPolicyEngine;
use picket_core::proposal::Proposal;
use picket_core::rules::{RULES_BYTES_MAX, RuleQuestion};
use picket_core::severity::Severity;
use picket_core::time::Timestamp;

/// Of a Saturday, one o'clock in the morning.
fn question() -> RuleQuestion {
    RuleQuestion {
        agent: AgentKind::Sre,
        kind: RemediationKind::SetMemoryLimit,
        service: ServiceId::new("east", "shop", "cart"),
        cause: Cause::MemoryLimitTooLow,
        severity: Severity::Three,
        confidence: 0.93,
        phase: Phase::Autonomous,
        at: Timestamp(1_795_827_843_000),
        cost_pods: 1,
        tier: 1,
        ready: 4,
        desired: 4,
        dependants: 5,
        namespaces_touched: 2,
        foreign_rollout: false,
        labels: [("team".to_owned(), "checkout".to_owned())].into(),
        monthly_saving_usd: None,
    }
}

fn rules(text: &str) -> RuleSet {
    RuleSet::read(text, 7).unwrap()
}

const PERMIT: &str = r#"@id("all") permit (principal, action, resource);"#;

/// What a forbidding rule with that condition says of the question.
fn forbidden_when(condition: &str, question: &RuleQuestion) -> bool {
    let answer = rules(&format!(r#"{PERMIT} @id("no") forbid (principal, action, resource) when {{ {condition} }};"#)).ask(question);
    assert_eq!(answer.errors, Vec::<String>::new(), "{condition}");
    assert_eq!(answer.by, [if answer.allowed { "all" } else { "no" }], "{condition}");
    !answer.allowed
}

#[test]
fn rules_see_what_the_schema_says_they_see() {
    let q = question();
    for (condition, holds) in [
        ("resource.tier == 1", true),
        ("resource.name == \"cart\"", true),
        ("resource in Picket::Namespace::\"east/shop\"", true),
        ("resource in Picket::Namespace::\"west/shop\"", false),
        ("resource in Picket::Cluster::\"east\"", true),
        ("resource.ready < resource.desired", false),
        ("resource.dependants > 4 && context.namespaces_touched == 2", true),
        ("resource.hasTag(\"team\") && resource.getTag(\"team\") == \"checkout\"", true),
        ("resource.hasTag(\"owner\")", false),
        ("context.hour < 6 && context.weekday == 6", true),
        ("context.confidence < 94 && context.confidence >= 93", true),
        ("context.severity == 3 && context.cause == \"memory_limit_too_low\"", true),
        ("context.phase == \"autonomous\" && context.reversible", true),
        ("context has saving_usd && context.saving_usd > 10", false),
        ("context.cost_pods == 1", true),
        ("principal == Picket::Agent::\"finops\"", false),
        ("action == Picket::Action::\"set_memory_limit\"", true),
    ] {
        assert_eq!(forbidden_when(condition, &q), holds, "{condition}");
    }
    let saves = RuleQuestion { monthly_saving_usd: Some(12.9), ..q };
    assert!(forbidden_when("context has saving_usd && context.saving_usd > 10", &saves));
}

#[test]
fn nothing_is_allowed_that_no_rule_permits_and_an_error_is_a_no() {
    let answer = rules("").ask(&question());
    assert!(!answer.allowed && answer.why().contains("none of the user's rules permits it"), "{answer:?}");
    assert_eq!(answer.violation().unwrap().rule, LimitRule::UserPolicy);
    // Counts above what Cedar's whole numbers hold: the rule fails, and what it was to forbid does not go through.
    let overflow = format!("{PERMIT} forbid (principal, action, resource) when {{ resource.dependants * 9223372036854775807 > 0 }};");
    let answer = rules(&overflow).ask(&question());
    assert!(!answer.allowed && !answer.errors.is_empty() && answer.why().contains("could not be evaluated"), "{answer:?}");
    assert_eq!(answer.policy_version, 7);
}

#[test]
fn confidence_that_is_no_number_is_none() {
    for confidence in [f64::NAN, f64::INFINITY, -1.0] {
        assert!(forbidden_when("context.confidence == 0", &RuleQuestion { confidence, ..question() }), "{confidence}");
    }
}

#[test]
fn what_does_not_fit_is_refused_and_named() {
    let wrong = |text: &str| RuleSet::read(text, 1).unwrap_err();
    assert!(matches!(wrong("permit (principal, action, resource"), RuleError::Unreadable(_)));
    let misspelt = wrong("permit (principal, action, resource) when { resource.teir == 1 };");
    assert!(matches!(&misspelt, RuleError::Unfit(why) if why.contains("teir")), "{misspelt}");
    assert!(matches!(wrong(r#"permit (principal, action == Picket::Action::"delete", resource);"#), RuleError::Unfit(_)));
    assert!(matches!(wrong("permit (principal == ?principal, action, resource);"), RuleError::Template(_)));
    assert_eq!(wrong(&" ".repeat(RULES_BYTES_MAX + 1)), RuleError::TooLong { bytes: RULES_BYTES_MAX + 1 });
    // A tag that may not be there must be asked for first.
    assert!(matches!(wrong(r#"permit (principal, action, resource) when { resource.getTag("a") == "b" };"#), RuleError::Unfit(_)));
}

#[test]
fn the_rules_that_ship_say_what_their_comments_say() {
    for agent in AgentKind::ALL {
        assert!(rules(shipped(agent)).ask(&RuleQuestion { agent, tier: 2, dependants: 1, ..question() }).allowed, "{agent}");
    }
    let by = |agent, change: fn(RuleQuestion) -> RuleQuestion| rules(shipped(agent)).ask(&change(RuleQuestion { agent, ..question() })).by;
    use RemediationKind as K;
    assert_eq!(
        by(AgentKind::Sre, |q| RuleQuestion { kind: K::RolloutRestart, foreign_rollout: true, ..q }),
        ["restarts-wait-for-their-turn"]
    );
    assert_eq!(
        by(AgentKind::Sre, |q| RuleQuestion { kind: K::RolloutRestart, confidence: 0.89, ..q }),
        ["what-cannot-be-taken-back-needs-certainty"]
    );
    assert_eq!(
        by(AgentKind::FinOps, |q| RuleQuestion { kind: K::Scale, at: q.at.plus_ms(8 * 3_600_000), ..q }),
        ["savings-wait-for-the-night-on-tier-1"]
    );
    let never = |q: RuleQuestion| RuleQuestion { kind: K::SetResources, labels: [("rightsizing".into(), "never".into())].into(), ..q };
    assert_eq!(by(AgentKind::FinOps, never), ["who-said-no-to-rightsizing"]);
    assert_eq!(by(AgentKind::SecOps, |q| RuleQuestion { kind: K::Quarantine, ..q }), ["nobody-cuts-off-what-many-depend-on"]);
    assert_eq!(rules(shipped(AgentKind::Sre)).ask(&RuleQuestion { agent: AgentKind::FinOps, ..question() }).by, Vec::<String>::new());
}

struct NoLimits;

impl SafetyPolicyEngine for NoLimits {
    fn check(&self, _: &Proposal, _: &ClusterFacts, _: Timestamp) -> Vec<Violation> {
        Vec::new()
    }
}

#[test]
fn an_agent_hears_early_what_the_rules_will_say() {
    let early = EarlyRules::new(NoLimits);
    let service = ServiceId::new("east", "shop", "cart");
    let proposal = Proposal {
        id: "p".into(),
        agent: AgentKind::Sre,
        incident: "i".into(),
        cause: Cause::StuckProcess,
        severity: Severity::Three,
        confidence: 0.95,
        services_degraded: 1,
        symptoms: vec![],
        action: Action { service: service.clone(), remediation: Remediation::RolloutRestart },
        evidence_echo: Timestamp(0),
        replay: false,
        monthly_saving_usd: None,
        sentence: String::new(),
    };
    let facts = |foreign_rollout| ClusterFacts {
        services: [(service.clone(), ServiceFacts { ready: 4, total: 4, desired: 4, tier: 2, foreign_rollout, ..ServiceFacts::default() })]
            .into(),
        ..ClusterFacts::default()
    };
    let says = |foreign| early.check(&proposal, &facts(foreign), Timestamp(0)).into_iter().map(|v| v.rule).collect::<Vec<_>>();
    assert_eq!(says(true), [], "it has heard of no rules yet");
    let policy = |version, rules: &str| Policy {
        version,
        limits: LimitRules::default(),
        approval_severities: vec![],
        two_person_severities: vec![],
        caps: vec![],
        freezes: vec![],
        rules: [(AgentKind::Sre, rules.to_owned())].into(),
    };
    early.learn(AgentKind::Sre, &policy(1, shipped(AgentKind::Sre)), Phase::Assist);
    assert_eq!((says(true), says(false)), (vec![LimitRule::UserPolicy], vec![]));
    early.learn(AgentKind::Sre, &policy(2, PERMIT), Phase::Assist);
    assert_eq!(says(true), []);
}
