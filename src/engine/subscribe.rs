//! From a request to a subscription: shards, servers, rules, tables, and where each shard begins.

use std::sync::{Arc, Mutex};

use crate::event::{Position, ShardName, ShardPosition, Start, TableName, TableSchema};
use crate::plan::{StreamRequest, TablePlan, TabletType};
use crate::source::{Extent, Finding};

use super::copy::CopyProgress;
use super::forecast::Forecast;
use super::merge::{Parts, Subscription};
use super::registry::ShardStatus;
use super::rules::Rules;
use super::shard::{ShardRequest, ShardStream, Status};
use super::tail::Tail;
use super::{Explained, Inner, Shard, SubscribeError};

/// One shard of a request.
struct Resolved<'a> {
    shard: &'a Shard,
    position: ShardPosition,
    tails: Vec<Arc<Tail>>,
    /// The tables that any rule fits, as they are now.
    tables: Vec<Arc<TableSchema>>,
}

impl Resolved<'_> {
    /// The tables that are left to be copied.
    fn copied(&self, rules: &Rules) -> impl Iterator<Item = &Arc<TableSchema>> {
        let is_left = |schema: &&Arc<TableSchema>| {
            let table = &schema.name.table;
            self.position.wants_copy()
                && rules.copies(table)
                && !self.position.finished.contains(table)
        };
        self.tables.iter().filter(is_left)
    }
}

impl Inner {
    pub async fn subscribe(&self, request: StreamRequest) -> Result<Subscription, SubscribeError> {
        let registration = self.registry.register()?;
        registration.show(self.asked(&request)?);
        let mut rules = self.rules(&request)?;
        let resolved = self.resolve(&request, &mut rules).await?;
        let rules = Arc::new(rules);
        let rules_hash = rules.hash();
        let flags = Arc::new(request.flags.clone());
        let mut schemas: Vec<(TableName, Arc<TableSchema>)> = Vec::new();
        let mut streams = Vec::new();
        let mut shards = Vec::new();
        let mut plan_hash = rules_hash;
        for resolved in resolved {
            let Resolved { shard, position, tails, tables } = resolved;
            for schema in &tables {
                let Some(rule) = rules.rule(&schema.name.table) else { continue };
                let plan = TablePlan::new(rule, schema)?;
                if schemas.iter().all(|(name, _)| *name != schema.name) {
                    schemas.push((schema.name.clone(), Arc::clone(plan.output())));
                }
            }
            let copy = copy_of(&rules, &position, &tables)?;
            plan_hash ^= copy.hash();
            let mut whole = position.clone();
            let mut stream = ShardStream::new(
                ShardRequest {
                    shard: Arc::clone(&shard.name),
                    position,
                    tails,
                    rules: Arc::clone(&rules),
                    flags: Arc::clone(&flags),
                    copy,
                    rules_hash,
                    id: registration.id(),
                },
                &self.config,
            );
            stream.fix_now().await?;
            if whole.start == Start::Now {
                // A token printed before this shard's first event resumes here, not at a later now.
                whole.start = Start::After(stream.seen.clone());
            }
            shards.push(whole);
            streams.push(stream);
        }
        if request.position.plan_hash.is_some_and(|hash| hash != plan_hash) {
            return Err(SubscribeError::OtherPlan);
        }
        let shown = streams.iter().map(|stream| (Arc::clone(&stream.shard), stream.status()));
        registration.show(shown.collect());
        Ok(Subscription::new(Parts {
            registration,
            streams,
            position: Position { shards, plan_hash: Some(plan_hash) },
            flags,
            limit: request.limit,
            config: Arc::clone(&self.config),
            schemas,
            rules_hash,
        }))
    }

    /// How a stream is shown while it asks its servers for what it needs to begin.
    fn asked(&self, request: &StreamRequest) -> Result<Vec<ShardStatus>, SubscribeError> {
        let mut asked = Vec::new();
        for (shard, position) in self.shards_of(&request.position)? {
            let of_type = |tail: &&Arc<Tail>| tail.tablet.tablet_type == request.tablet_type;
            let first = shard.tails.iter().find(of_type);
            asked.extend(first.map(|tail| {
                let status = Status::new(tail, &position);
                (Arc::clone(&shard.name), Arc::new(Mutex::new(status)))
            }));
        }
        Ok(asked)
    }

    pub async fn describe(
        &self,
        request: &StreamRequest,
    ) -> Result<Vec<Arc<TableSchema>>, SubscribeError> {
        let mut rules = self.rules(request)?;
        let mut described = Vec::new();
        for resolved in self.resolve(request, &mut rules).await? {
            for schema in &resolved.tables {
                let Some(rule) = rules.rule(&schema.name.table) else { continue };
                described.push(Arc::clone(TablePlan::new(rule, schema)?.output()));
            }
        }
        Ok(described)
    }

    pub async fn explain(&self, request: &StreamRequest) -> Result<Vec<Explained>, SubscribeError> {
        let mut rules = self.rules(request)?;
        let mut explained = Vec::new();
        for resolved in self.resolve(request, &mut rules).await? {
            let Some(tail) = resolved.tails.first() else { continue };
            let mut findings = preflight(tail).await?;
            let copied: Vec<_> = resolved.copied(&rules).map(Arc::as_ref).collect();
            let extent = extent(tail, &copied).await?;
            let forecast = Forecast::new(&self.config, &extent, tail.copy_rate());
            findings.extend(forecast.finding(&copied));
            for schema in &resolved.tables {
                let table = explain_table(request, &rules, &resolved, schema)?;
                let copy = forecast.describe(schema);
                explained.push(Explained { findings: findings.clone(), copy, ..table });
            }
        }
        Ok(explained)
    }

    fn rules(&self, request: &StreamRequest) -> Result<Rules, SubscribeError> {
        Ok(Rules::new(&request.filter, &request.flags.tables_to_copy)?)
    }

    /// The request's shards with their servers and tables. Spells the rules' names as those do.
    async fn resolve(
        &self,
        request: &StreamRequest,
        rules: &mut Rules,
    ) -> Result<Vec<Resolved<'_>>, SubscribeError> {
        let mut resolved = Vec::new();
        let (mut folding, mut exact) = (None, None);
        for (shard, position) in self.shards_of(&request.position)? {
            let of_type = |tail: &&Arc<Tail>| tail.tablet.tablet_type == request.tablet_type;
            let tails: Vec<_> = shard.tails.iter().filter(of_type).cloned().collect();
            let (tables, folds) = read_tables(&shard.name, request.tablet_type, &tails).await?;
            if folds { &mut folding } else { &mut exact }.get_or_insert(&shard.name);
            resolved.push(Resolved { shard, position, tails, tables });
        }
        if let Some(folding) = folding
            && rules.fold()
            && let Some(exact) = exact
        {
            let (folding, exact) = (ShardName::clone(folding), ShardName::clone(exact));
            return Err(SubscribeError::LetterCase { folding, exact });
        }
        for Resolved { shard, position, tables, .. } in &mut resolved {
            let fits = |schema: &Arc<TableSchema>| rules.rule(&schema.name.table).is_some();
            tables.retain(fits);
            if let Some(missing) =
                rules.named().find(|name| tables.iter().all(|schema| *schema.name.table != **name))
                && position.wants_copy()
            {
                let missing = TableName::new(&shard.name.keyspace, missing);
                return Err(SubscribeError::NoSuchTable(missing));
            }
        }
        if resolved.is_empty() {
            return Err(SubscribeError::NoShard);
        }
        Ok(resolved)
    }

    /// The shards that a position names; one without a shard stands for all of its keyspace.
    fn shards_of(
        &self,
        position: &Position,
    ) -> Result<Vec<(&Shard, ShardPosition)>, SubscribeError> {
        let mut shards = Vec::new();
        for wanted in &position.shards {
            let keyspace = &wanted.shard.keyspace;
            let mut all =
                self.shards.iter().filter(|shard| shard.name.keyspace == *keyspace).peekable();
            if all.peek().is_none() {
                return Err(SubscribeError::NoSuchKeyspace(keyspace.to_string()));
            }
            if !wanted.shard.shard.is_empty() {
                let Some(shard) = all.find(|shard| *shard.name == wanted.shard) else {
                    return Err(SubscribeError::NoSuchShard(wanted.shard.clone()));
                };
                shards.push((shard, wanted.clone()));
                continue;
            }
            if matches!(wanted.start, Start::After(_)) {
                return Err(SubscribeError::PositionWithoutShard);
            }
            let named =
                |shard: &ShardName| ShardPosition { shard: shard.clone(), ..wanted.clone() };
            shards.extend(all.map(|shard| (shard, named(&shard.name))));
        }
        Ok(shards)
    }
}

/// The tables of a shard, asked of its servers in turn, and whether they are named in any case.
async fn read_tables(
    shard: &ShardName,
    tablet_type: TabletType,
    tails: &[Arc<Tail>],
) -> Result<(Vec<Arc<TableSchema>>, bool), SubscribeError> {
    let mut last = SubscribeError::NoTablet { shard: shard.clone(), tablet_type };
    for tail in tails {
        match tail.tablet.source.tables().await {
            Ok(tables) => return Ok((tables, tail.tablet.source.folds_names())),
            Err(source) => {
                last = SubscribeError::Source { tablet: Arc::clone(&tail.tablet.name), source };
            }
        }
    }
    Err(last)
}

async fn preflight(tail: &Tail) -> Result<Vec<Finding>, SubscribeError> {
    let tablet = Arc::clone(&tail.tablet.name);
    tail.tablet.source.preflight().await.map_err(|source| SubscribeError::Source { tablet, source })
}

/// How much there is to be copied.
async fn extent(tail: &Tail, tables: &[&TableSchema]) -> Result<Extent, SubscribeError> {
    if tables.is_empty() {
        return Ok(Extent::default());
    }
    let names: Vec<_> = tables.iter().map(|schema| schema.name.clone()).collect();
    let tablet = Arc::clone(&tail.tablet.name);
    let extent = tail.tablet.source.extent(&names).await;
    extent.map_err(|source| SubscribeError::Source { tablet, source })
}

fn copy_of(
    rules: &Rules,
    position: &ShardPosition,
    tables: &[Arc<TableSchema>],
) -> Result<CopyProgress, SubscribeError> {
    if !position.wants_copy() {
        return Ok(CopyProgress::default());
    }
    let copied = tables.iter().filter(|schema| rules.copies(&schema.name.table));
    let copy = CopyProgress::new(copied, position);
    if position.start == Start::Copy && copy.is_complete() {
        return Err(SubscribeError::NothingToCopy);
    }
    Ok(copy)
}

fn explain_table(
    request: &StreamRequest,
    rules: &Rules,
    resolved: &Resolved<'_>,
    schema: &Arc<TableSchema>,
) -> Result<Explained, SubscribeError> {
    let rule = rules.rule(&schema.name.table).expect("only tables that a rule fits are resolved");
    let plan = TablePlan::new(rule, schema)?;
    let tablet = resolved.tails.first().map_or("", |tail| &tail.tablet.name);
    let position = &resolved.position;
    let start = match &position.start {
        Start::Copy => "copy, then follow".to_owned(),
        Start::Now => "follow from now".to_owned(),
        Start::After(set) if position.wants_copy() => {
            format!("catch up from {set}, go on copying, then follow")
        }
        Start::After(set) => format!("follow from {set}"),
    };
    let columns = plan.output().columns.iter().map(|column| &*column.name);
    Ok(Explained {
        shard: (*resolved.shard.name).clone(),
        tablet: format!("{tablet} (first {} of the shard)", request.tablet_type),
        start,
        table: schema.name.clone(),
        rule: rule.to_string(),
        projection: columns.collect::<Vec<_>>().join(", "),
        predicate: plan.condition().map(ToString::to_string).unwrap_or_default(),
        copy: String::new(),
        findings: Vec::new(),
    })
}
