//! Every number of the model that a scenario may want to change, in one place.

/// Lengths are event time.
#[derive(Clone, Debug)]
pub struct SimParameters {
    /// Length of a simulated day: load swings by `daily_swing` over it.
    pub day_s: f64,
    /// Half the distance between the day's highest and lowest load, as a share of the mean.
    pub daily_swing: f64,
    /// Standard deviation of a service's request rate from second to second, as a share.
    pub rate_noise: f64,
    /// A pod is ready this long after its start.
    pub pod_start_s: (f64, f64),
    /// Time to resize a volume.
    pub volume_resize_s: (f64, f64),
    /// Time to issue a certificate.
    pub certificate_issue_s: (f64, f64),
    /// Life of an issued certificate.
    pub certificate_life_s: f64,
    /// Back-off of a crashing container: first, and upper bound (each crash doubles it).
    pub crash_back_off_s: (f64, f64),
    /// People deploy, and an autoscaler follows the load.
    pub routine: bool,
    /// Interval of metrics.
    pub metric_interval_s: i64,
    /// Sampled traces in one interval, at most.
    pub traces_per_interval: usize,
    /// Share of right remedies that work late.
    pub remedy_slow_share: f64,
    /// Share of right remedies that do nothing the first time. With `remedy_slow_share` it makes the 15 %.
    pub remedy_fails_share: f64,
    /// How much later a slow remedy works.
    pub remedy_slow_s: (f64, f64),
    /// How long after a remedy that failed or made matters worse a person repairs the fault.
    pub person_after_failed_remedy_s: (f64, f64),
    /// How long after a page a person repairs the fault.
    pub person_after_page_s: (f64, f64),
    /// A person lifts a quarantine some time after its reason is gone (`person_after_failed_remedy_s`).
    pub lift_quarantine: bool,
    /// Share of wrong remedies that hide the symptoms for a while.
    pub wrong_seems_right_share: f64,
    /// For how long they hide them.
    pub wrong_seems_right_s: (f64, f64),
    /// Error ratio above which a service is out of its bounds.
    pub sli_error_ratio: f64,
    /// Latency above which a service is out of its bounds, as a multiple of its usual p95.
    pub sli_latency_factor: f64,
    /// Extra bound for pods that start, in seconds: how long a service may be short of a replica before it counts as out of bounds.
    pub sli_replicas_grace_s: i64,
}

impl Default for SimParameters {
    fn default() -> Self {
        Self {
            day_s: 86_400.0,
            daily_swing: 0.25,
            rate_noise: 0.03,
            pod_start_s: (4.0, 8.0),
            volume_resize_s: (3.0, 6.0),
            certificate_issue_s: (2.0, 5.0),
            certificate_life_s: 90.0 * 86_400.0,
            crash_back_off_s: (5.0, 40.0),
            routine: false,
            metric_interval_s: 5,
            traces_per_interval: 12,
            remedy_slow_share: 0.08,
            remedy_fails_share: 0.07,
            remedy_slow_s: (30.0, 40.0),
            person_after_failed_remedy_s: (50.0, 60.0),
            person_after_page_s: (15.0, 25.0),
            lift_quarantine: false,
            wrong_seems_right_share: 0.3,
            wrong_seems_right_s: (15.0, 25.0),
            sli_error_ratio: 0.02,
            sli_latency_factor: 1.6,
            sli_replicas_grace_s: 30,
        }
    }
}
