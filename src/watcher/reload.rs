//! Taking over what a changed configuration says, for payments and requests that come.
//!
//! Open payments keep their terms. Chains and assets stay those of the start: whatever would make
//! an asset another one is left for a restart.

use super::{Settings, Watcher};
use crate::{domain::asset::Asset, store::StoreError};

impl Watcher {
    /// Takes over defaults, `operator_commands`, and each known asset's depth, tiers, dust limit
    /// and whether it is enabled.
    pub(super) fn reload(&mut self, settings: &Settings) -> Result<(), StoreError> {
        let wanted: Vec<&Asset> = settings
            .chains
            .iter()
            .flat_map(|chain| &chain.assets)
            .collect();
        let known = self.chains.iter().flat_map(|chain| &chain.spec.assets);
        let assets: Vec<Asset> = known.map(|asset| retuned(asset, &wanted)).collect();
        self.store.retune_assets(&assets)?;
        for asset in self
            .chains
            .iter_mut()
            .flat_map(|chain| &mut chain.spec.assets)
        {
            if let Some(new) = assets.iter().find(|new| new.code == asset.code) {
                asset.clone_from(new);
            }
        }
        self.defaults.clone_from(&settings.defaults);
        self.operator_commands = settings.operator_commands;
        Ok(())
    }
}

/// The asset with what may change about it.
fn retuned(asset: &Asset, wanted: &[&Asset]) -> Asset {
    let is_same = |new: &&&Asset| {
        (&new.code, &new.chain, new.kind, new.decimals)
            == (&asset.code, &asset.chain, asset.kind, asset.decimals)
    };
    wanted
        .iter()
        .find(is_same)
        .map_or_else(|| asset.clone(), |new| Asset::clone(new))
}
