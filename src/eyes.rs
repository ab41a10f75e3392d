//! What one cluster's observer reads through: the cluster's API, and the clouds for services that run elsewhere.

use crate::side_files;
use crate::wiring::{Wiring, reader};
use picket_adapters::kubernetes::KubernetesReader;
use picket_clouds::CloudReader;
use picket_core::config::Cluster;
use picket_core::facts::ServiceFacts;
use picket_core::ids::{ClusterName, EntryId, ServiceId};
use picket_core::outcome::Receipt;
use picket_core::ports::{ClusterReader, PortResult, Readings};
use std::collections::BTreeMap;

/// All of a cluster's readers.
pub struct Eyes {
    cluster: KubernetesReader,
    clouds: Option<CloudReader>,
}

impl Eyes {
    /// As the configuration and its side files say, with read-only credentials.
    ///
    /// # Errors
    /// When a file cannot be read, or asks for what cannot be had.
    pub fn new(wiring: &Wiring, cluster: &Cluster) -> anyhow::Result<Self> {
        let name = ClusterName::from(cluster.name.as_str());
        let clouds = side_files::clouds(&wiring.config, cluster)?.map(|settings| CloudReader::new(&name, &settings)).transpose()?;
        Ok(Self { cluster: reader(cluster)?, clouds })
    }
}

impl ClusterReader for Eyes {
    async fn read(&self, reserved: &BTreeMap<EntryId, u32>) -> PortResult<Vec<(ServiceId, ServiceFacts, Readings)>> {
        let mut services = self.cluster.read(reserved).await?;
        if let Some(clouds) = &self.clouds {
            services.extend(clouds.read(reserved).await?);
        }
        Ok(services)
    }

    async fn shows(&self, receipt: &Receipt) -> PortResult<bool> {
        self.cluster.shows(receipt).await
    }
}
