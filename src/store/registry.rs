//! Chains and assets of the configuration as rows, so that payments and views can name them.

use super::{
    Store,
    error::{Fault, StoreError},
    rows::field,
};
use crate::domain::{
    asset::{Asset, AssetKind, ChainKind, ChainName},
    status::Status,
    time::UnixMs,
};
use alloy_primitives::Address;
use rusqlite::{Connection, OptionalExtension, TransactionBehavior, params};

/// A configured chain, as far as the database must know it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChainEntry {
    /// Its name.
    pub name: ChainName,
    /// Its rules.
    pub kind: ChainKind,
    /// Which network it must stay: `mainnet`, or the chain id in decimal.
    pub network: String,
}

/// Why the configuration does not fit the database.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RegistryError {
    /// The name stands for another chain in the database.
    #[error(
        "chain {name} is {kind} {network} in the database; give the configured chain another name or use another database"
    )]
    OtherChain {
        /// The name.
        name: ChainName,
        /// Its rules in the database.
        kind: String,
        /// Its network there.
        network: String,
    },
    /// Payments were registered in something else under this code.
    #[error(
        "asset {code} has payments with {what} in the database; give the configured asset another code"
    )]
    OtherAsset {
        /// The code.
        code: String,
        /// What differs, as the database has it.
        what: String,
    },
    /// An asset names a chain that is not configured.
    #[error("asset {code} is on chain {chain}, which is not configured")]
    UnknownChain {
        /// The asset.
        code: String,
        /// The chain.
        chain: ChainName,
    },
    /// Open payments wait for money in an asset that is configured no more.
    #[error(
        "asset {code} on chain {chain} is not configured but has {payments} open payments; keep it \
         configured, with `enabled = false` to take no new ones, until they are settled"
    )]
    StillWatched {
        /// The asset.
        code: String,
        /// Its chain.
        chain: String,
        /// How many.
        payments: u64,
    },
    /// The database failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl From<Fault> for RegistryError {
    fn from(fault: Fault) -> Self {
        Self::Store(fault.into())
    }
}

impl From<rusqlite::Error> for RegistryError {
    fn from(error: rusqlite::Error) -> Self {
        Self::Store(error.into())
    }
}

impl Store {
    /// Makes the database know what is configured, at start. Chains and assets that are
    /// configured no more stay with their payments; such an asset is no longer enabled. Every
    /// chain is unhealthy until its source was heard.
    ///
    /// # Errors
    /// When a name stands for something else in the database, when open payments are in an asset
    /// or on a chain that is not configured, or the database fails; then nothing was changed.
    pub fn sync_registry(
        &mut self,
        chains: &[ChainEntry],
        assets: &[Asset],
        now: UnixMs,
    ) -> Result<(), RegistryError> {
        let tx = self
            .conn
            .transaction_with_behavior(TransactionBehavior::Immediate)?;
        tx.execute("UPDATE chain SET healthy = 0", [])?;
        for chain in chains {
            sync_chain(&tx, chain, now)?;
        }
        tx.execute("UPDATE asset SET enabled = 0", [])?;
        for asset in assets {
            sync_asset(&tx, asset, chains)?;
        }
        refuse_abandoned(&tx, assets)?;
        tx.commit()?;
        Ok(())
    }
}

impl Store {
    /// Shows what changed about known assets: depth, dust limit, whether they are enabled.
    ///
    /// # Errors
    /// When the database fails; then nothing was changed.
    pub fn retune_assets(&mut self, assets: &[Asset]) -> Result<(), StoreError> {
        let tx = self
            .conn
            .transaction_with_behavior(TransactionBehavior::Immediate)?;
        for asset in assets {
            tx.execute(
                "UPDATE asset SET confirmations_required = ?2, dust = ?3, enabled = ?4,
                        depth_rule = ?6
                  WHERE code = ?1 AND decimals = ?5",
                params![
                    asset.code.as_str(),
                    asset.depth.confirmations,
                    field::amount(asset.dust, asset.decimals),
                    asset.enabled,
                    asset.decimals,
                    asset.depth.rule.as_str(),
                ],
            )?;
        }
        tx.commit()?;
        Ok(())
    }
}

fn sync_chain(conn: &Connection, chain: &ChainEntry, now: UnixMs) -> Result<(), RegistryError> {
    let (kind, network): (String, String) = conn.query_row(
        "INSERT INTO chain (name, kind, network, updated_at) VALUES (?1, ?2, ?3, ?4)
         ON CONFLICT (name) DO UPDATE SET name = excluded.name RETURNING kind, network",
        params![
            chain.name.as_str(),
            chain.kind.as_str(),
            chain.network,
            now.0
        ],
        |row| Ok((row.get(0)?, row.get(1)?)),
    )?;
    if kind == chain.kind.as_str() && network == chain.network {
        return Ok(());
    }
    Err(RegistryError::OtherChain {
        name: chain.name.clone(),
        kind,
        network,
    })
}

fn sync_asset(
    conn: &Connection,
    asset: &Asset,
    chains: &[ChainEntry],
) -> Result<(), RegistryError> {
    if !chains.iter().any(|chain| chain.name == asset.chain) {
        return Err(RegistryError::UnknownChain {
            code: asset.code.to_string(),
            chain: asset.chain.clone(),
        });
    }
    let contract = match asset.kind {
        AssetKind::Native => None,
        AssetKind::Token(address) => Some(Address::from(address).to_string()),
    };
    refuse_another(conn, asset, contract.as_deref())?;
    conn.execute(
        "INSERT INTO asset (code, chain_key, contract, decimals, confirmations_required, dust,
                            enabled, depth_rule)
         VALUES (?1, (SELECT key FROM chain WHERE name = ?2), ?3, ?4, ?5, ?6, ?7, ?8)
         ON CONFLICT (code) DO UPDATE
            SET chain_key = excluded.chain_key, contract = excluded.contract,
                decimals = excluded.decimals, dust = excluded.dust, enabled = excluded.enabled,
                confirmations_required = excluded.confirmations_required,
                depth_rule = excluded.depth_rule",
        params![
            asset.code.as_str(),
            asset.chain.as_str(),
            contract,
            asset.decimals,
            asset.depth.confirmations,
            field::amount(asset.dust, asset.decimals),
            asset.enabled,
            asset.depth.rule.as_str(),
        ],
    )?;
    Ok(())
}

/// Nobody would see the money of open payments, nor take back a `paid` whose block is gone.
fn refuse_abandoned(conn: &Connection, assets: &[Asset]) -> Result<(), RegistryError> {
    let mut statement = conn.prepare(
        "SELECT a.code, c.name, count(*)
           FROM asset AS a JOIN chain AS c ON c.key = a.chain_key
           JOIN payment AS p ON p.asset = a.code
            AND p.status IN ('new', 'pending', 'confirming', 'paid')
          WHERE p.watching = 1 AND p.is_final = 0
          GROUP BY a.code ORDER BY a.code",
    )?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let code: String = row.get(0)?;
        if !assets.iter().any(|asset| asset.code.as_str() == code) {
            return Err(RegistryError::StillWatched {
                chain: row.get(1)?,
                payments: u64::try_from(row.get::<_, i64>(2)?).unwrap_or_default(),
                code,
            });
        }
    }
    Ok(())
}

/// An asset with payments keeps its chain, contract and scale.
fn refuse_another(
    conn: &Connection,
    asset: &Asset,
    contract: Option<&str>,
) -> Result<(), RegistryError> {
    let stored: Option<(String, Option<String>, u8)> = conn
        .query_row(
            "SELECT c.name, a.contract, a.decimals
               FROM asset AS a JOIN chain AS c ON c.key = a.chain_key WHERE a.code = ?",
            [asset.code.as_str()],
            |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)),
        )
        .optional()?;
    let Some((chain, stored_contract, decimals)) = stored else {
        return Ok(());
    };
    let same = chain == asset.chain.as_str()
        && stored_contract.as_deref() == contract
        && decimals == asset.decimals;
    if same || !has_payments(conn, asset)? {
        return Ok(());
    }
    let contract = stored_contract.unwrap_or_else(|| "no contract".to_owned());
    Err(RegistryError::OtherAsset {
        code: asset.code.to_string(),
        what: format!("chain {chain}, {contract}, {decimals} decimals"),
    })
}

fn has_payments(conn: &Connection, asset: &Asset) -> Result<bool, RegistryError> {
    let mut statement =
        conn.prepare("SELECT 1 FROM payment WHERE status = ? AND asset = ? LIMIT 1")?;
    for status in Status::ALL {
        if statement.exists([status.as_str(), asset.code.as_str()])? {
            return Ok(true);
        }
    }
    Ok(false)
}

#[cfg(test)]
mod tests;
