impl super::SimCluster {
    pub(super) fn image_does_not_start(&self, _image: &str) -> bool {
        false
    }
    pub(super) fn remedy_delay_ms(&self, _at: usize) -> i64 {
        0
    }
    pub(super) fn refuses_first_certificate(&self, _at: usize) -> bool {
        false
    }
}
