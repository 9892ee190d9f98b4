//! Does what operators ask for.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::{Context, Error, Result, bail, ensure};
use pseudotape_control::mirror::{LegVolume, Request, Response};
use pseudotape_control::{Operator, Peer};
use pseudotape_human::{HumanBytes, counted, explain};
use pseudotape_sink::{Lent, Location, Sink};
use pseudotape_tape::Drive;

use crate::desk::deck::{self, Deck};
use crate::desk::faults::LegFaults;
use crate::desk::gate::Gate;
use crate::desk::holder::Holder;
use crate::desk::public::Public;
use crate::desk::served::Served;
use crate::desk::sink_leg;
use crate::leg_config::LegConfig;
use crate::mirror::{Expected, MirrorDrive, Rest, Resynced};

/// A mirror, its volumes, and what operators do with them.
pub struct Desk {
    deck: Arc<Gate<Deck>>,
    public: Arc<Public>,
    holder: Arc<dyn Holder>,
    /// Held by an order, so that orders are done one after the other.
    orders: Mutex<()>,
    /// What others than root and the daemon's own user may put in.
    lent: Lent,
    /// What goes wrong on command.
    faults: LegFaults,
    /// The daemon ends: no order begins any more.
    ending: Arc<AtomicBool>,
}

impl Desk {
    /// A mirror without volumes, whose legs are these.
    #[must_use]
    pub fn new(
        mut mirror: MirrorDrive,
        legs: &[LegConfig],
        public: Arc<Public>,
        holder: Arc<dyn Holder>,
        lent: Lent,
        ending: Arc<AtomicBool>,
    ) -> Self {
        mirror.ends_with(Arc::clone(&ending));
        let deck = Deck::new(legs, mirror, Arc::clone(&public));
        Desk {
            deck: Arc::new(Gate::new(deck)),
            public,
            holder,
            orders: Mutex::new(()),
            lent,
            faults: LegFaults::of(legs),
            ending,
        }
    }

    /// Puts the volumes in that the configuration names, where it names some; says whether it does.
    pub fn load_first(&self) -> Result<bool> {
        let mut deck = self.deck.for_operator();
        let sinks: Option<Vec<_>> = deck.legs().iter().map(|leg| leg.sink.clone()).collect();
        let Some(sinks) = sinks else {
            return Ok(false);
        };
        let opened = deck::open(deck.legs(), &sinks)?;
        deck.insert(opened)?;
        Ok(true)
    }

    /// The mirror as a drive, for its programs.
    #[must_use]
    pub fn drive(&self) -> Served {
        let identity = self.deck.for_operator().mirror.identity();
        Served::new(
            Arc::clone(&self.deck),
            Arc::clone(&self.public),
            Arc::clone(&self.holder),
            identity,
        )
    }

    /// What ends meets no fault, and waits for none.
    pub fn end_faults(&self) {
        self.faults.end();
    }

    fn act(&self, request: Request, peer: Peer) -> Result<Response> {
        if request == Request::Status {
            return Ok(Response::Status(Box::new(self.public.status())));
        }
        if let Request::Inject {
            leg,
            remove,
            faults,
        } = request
        {
            return self.faults.act(leg, &remove, &faults, peer);
        }
        let _order = self.orders.lock().unwrap_or_else(PoisonError::into_inner);
        ensure!(
            !self.ending.load(Ordering::SeqCst),
            "the mirror ends: nothing was done; start it again, and say it again"
        );
        let message = match request {
            // Answered above.
            Request::Status | Request::Inject { .. } => bail!("a question is no order"),
            Request::Load { legs } => self.load(&legs, peer)?,
            Request::Unload { force } => self.unload(force)?,
            Request::Resync { leg } => self.resync(&leg)?,
            Request::Drop { leg } => self.drop_leg(&leg)?,
            Request::Return { leg, sink, force } => {
                self.return_leg(&leg, sink.as_deref(), rest(force), peer)?
            }
            Request::Trust { leg, force } => self.trust(&leg, rest(force))?,
        };
        log::info!("{message}");
        Ok(Response::Done { message })
    }

    /// The sink that a peer names: one that is lent, unless he is root or the daemon's own user.
    fn sink_named(&self, text: &str, peer: Peer) -> Result<Sink> {
        let sink = self.lent.find(&text.parse()?)?;
        if !peer.is_own() {
            let checked = self.lent.check(&sink);
            checked.inspect_err(|_| log::warn!("{peer} may not name {sink}"))?;
        }
        Ok(sink)
    }

    fn load(&self, named: &[LegVolume], peer: Peer) -> Result<String> {
        let _going_on = self.public.operation("load".into());
        let (legs, leaving) = {
            let mut deck = self.deck.for_operator();
            expect_empty(&deck)?;
            (deck.legs().to_vec(), deck.take_leaving())
        };
        let sinks = choose(&legs, named, |text| self.sink_named(text, peer))?;
        let late: Vec<_> = leaving
            .into_iter()
            .filter_map(|leaving| leaving.wait().err())
            .collect();
        self.faults
            .expect_load(legs.iter().map(|leg| &*leg.options.name))?;
        let opened = deck::open(&legs, &sinks)?;
        let mut deck = self.deck.for_operator();
        expect_empty(&deck)?;
        deck.insert(opened)?;
        let limits = deck.mirror.block_limits();
        let refused = deck.mirror.refusal().map(str::to_owned);
        drop(deck);
        self.holder.hear_limits(limits);
        if let Some(refused) = refused {
            bail!("{refused}");
        }
        let names: Vec<_> = legs.iter().map(|leg| leg.options.name.as_str()).collect();
        let names = names.join(", ");
        if late.is_empty() {
            return Ok(format!("loaded: {names}"));
        }
        let late = late.join("; ");
        Ok(format!(
            "loaded: {names}; of the volumes before not all are copies: {late}"
        ))
    }

    fn unload(&self, force: bool) -> Result<String> {
        let _going_on = self.public.operation("unload".into());
        let leaving = {
            let mut deck = self.deck.for_operator();
            if deck.is_loaded() {
                ensure!(
                    force || !self.public.is_in_file(),
                    "a program is in the middle of a file: let it end, or unload by 'mt offline', or say --force"
                );
                if !force {
                    expect_findable(&deck)?;
                }
                // The attention of volumes that nobody used must not fail this unload.
                let ready = pseudotape_tape::make_ready(&mut deck.mirror);
                let unloaded = ready.and_then(|()| deck.mirror.unload_all(Rest::MayGo));
                // Volumes that were refused or are out of step are taken out too.
                let ejected = deck.eject();
                let leaving = deck.take_leaving();
                ejected?;
                if let Err(failed) = unloaded {
                    log::warn!("unload: {failed}; the volumes were taken out");
                }
                leaving
            } else {
                let leaving = deck.take_leaving();
                if leaving.is_empty() {
                    return Ok("no volumes were in".into());
                }
                leaving
            }
        };
        let failures: Vec<_> = leaving
            .into_iter()
            .filter_map(|leaving| leaving.wait().err())
            .collect();
        ensure!(failures.is_empty(), "{}", failures.join("; "));
        let status = self.public.status();
        let lost = status
            .legs
            .iter()
            .filter(|leg| leg.not_mirrored_from.is_some());
        let lost: Vec<_> = lost.map(|leg| leg.name.as_str()).collect();
        let command = self.public.place().command();
        ensure!(
            lost.is_empty(),
            "unloaded, but not every volume is a copy: {} (see '{command} status')",
            lost.join(", ")
        );
        Ok("unloaded".into())
    }

    fn resync(&self, leg: &str) -> Result<String> {
        let _going_on = self.public.operation(format!("resync {leg}"));
        let command = self.public.place().command();
        let mut deck = self.deck.for_operator();
        expect_volumes(&deck)?;
        let done = deck.mirror.resync(leg).map_err(|error| {
            let text = match error.keeps_the_only_copy() {
                // To open it anew would be refused for the same reason.
                true => "can't resync".to_owned(),
                false => {
                    format!("can't resync (to open it anew: '{command} return {leg}')")
                }
            };
            Error::new(error).context(text)
        })?;
        Ok(in_step(leg, done))
    }

    fn drop_leg(&self, leg: &str) -> Result<String> {
        let _going_on = self.public.operation(format!("drop {leg}"));
        let command = self.public.place().command();
        let mut deck = self.deck.for_operator();
        expect_volumes(&deck)?;
        deck.mirror.drop_leg(leg)?;
        deck.part_with(leg)?;
        Ok(format!(
            "leg {leg} is out of the mirror and closed; '{command} return {leg}' brings it back"
        ))
    }

    fn return_leg(&self, leg: &str, sink: Option<&str>, rest: Rest, peer: Peer) -> Result<String> {
        let _going_on = self.public.operation(format!("return {leg}"));
        let mut deck = self.deck.for_operator();
        expect_volumes(&deck)?;
        let (options, old) = deck.options(leg)?;
        // Without a sink it is to be the volume that was in the leg before; with one it may be anybody's.
        let expected = match sink {
            Some(_) => Expected::Any,
            None => Expected::Former,
        };
        let sink = match sink {
            Some(text) => self.sink_named(text, peer)?,
            None => old.with_context(|| format!("leg {leg} has no sink: return {leg}=SINK"))?,
        };
        // Before the new sink is opened, since it may be the old one.
        deck.part_with(leg)?;
        let opened = sink_leg::open(&options, &sink).with_context(|| format!("leg {leg}"))?;
        let mut new = opened.leg;
        if rest == Rest::Stays {
            let (looked_at, besides) = deck.mirror.besides(leg, new, expected)?;
            new = looked_at;
            if let Some(besides) = besides {
                new.drive.finish()?;
                bail!(
                    "{sink} {besides}, which would be dropped: nothing was done to it; return another volume, or say --force"
                );
            }
        }
        deck.set_sink(leg, &sink, opened.refusal);
        let done = deck.mirror.return_leg(leg, Some(new))?;
        Ok(in_step(leg, done))
    }

    fn trust(&self, leg: &str, rest: Rest) -> Result<String> {
        let _going_on = self.public.operation(format!("trust {leg}"));
        let command = self.public.place().command();
        let mut deck = self.deck.for_operator();
        expect_volumes(&deck)?;
        let lost = deck.mirror.trust(leg, rest)?;
        self.public.set_refused(deck.mirror.refusal());
        let lost: Vec<_> = lost
            .iter()
            .map(|other| format!("{command} resync {other}"))
            .collect();
        let same = deck.mirror.in_step_beside(leg);
        if lost.is_empty() && same.is_empty() {
            return Ok(format!(
                "leg {leg} is right: no other leg is in step ('{command} status' shows what brings one back)"
            ));
        }
        if lost.is_empty() {
            let same = same.join(", ");
            return Ok(format!("leg {leg} is right, and the same as {same}"));
        }
        Ok(format!("leg {leg} is right; now: {}", lost.join(", ")))
    }

    /// Brings all legs to stable storage, at the end of the daemon.
    pub fn end(&self) -> Result<()> {
        let mut deck = self.deck.for_operator();
        deck.mirror.drop_surplus_here();
        let ejected = deck.eject();
        let mut failures: Vec<_> = ejected
            .err()
            .map(|error| error.to_string())
            .into_iter()
            .collect();
        for leaving in deck.take_leaving() {
            failures.extend(leaving.wait().err());
        }
        // Under the lock of the mirror, which nobody gets any more: a call of the program, or an order, that waits for
        // it would put volumes in again that nobody closes then.
        self.holder.part();
        std::mem::forget(deck);
        ensure!(failures.is_empty(), "{}", failures.join("; "));
        Ok(())
    }
}

/// What `--force` says of what only one volume holds.
fn rest(force: bool) -> Rest {
    match force {
        true => Rest::MayGo,
        false => Rest::Stays,
    }
}

fn expect_empty(deck: &Deck) -> Result<()> {
    ensure!(
        !deck.is_loaded(),
        "volumes are in: 'mt offline', or 'pseudotape-mirror unload', takes them out first"
    );
    Ok(())
}

/// As long as a volume is in that nobody finds elsewhere, it can be copied.
fn expect_findable(deck: &Deck) -> Result<()> {
    let unfindable = deck.mirror.unfindable();
    let told: Vec<_> = unfindable
        .iter()
        .map(|(leg, error)| format!("leg {leg}: {error}"))
        .collect();
    ensure!(
        told.is_empty(),
        "{}: all volumes stay in until then; --force takes them out all the same, 'drop LEG' this one alone",
        told.join("; ")
    );
    Ok(())
}

fn expect_volumes(deck: &Deck) -> Result<()> {
    ensure!(
        deck.is_loaded(),
        "no volumes are in: 'pseudotape-mirror load LEG=SINK...' puts some in"
    );
    Ok(())
}

fn in_step(leg: &str, done: Resynced) -> String {
    let Resynced {
        common,
        copied,
        bytes,
        misses_from,
    } = done;
    // Else a copy of what is no whole copy would pass for one.
    let misses = misses_from.map_or_else(String::new, |from| {
        format!("; the volume that it is a copy of misses what begins with object {from}, and so does this one: it stays marked")
    });
    if copied == 0 && common == 0 {
        return format!(
            "leg {leg} is in step: it had everything, and was not read ('pseudotape verify' reads an unloaded volume){misses}"
        );
    }
    if copied == 0 {
        return format!("leg {leg} is in step: it had everything{misses}");
    }
    let (had, more) = (
        if common == 1 { "was" } else { "were" },
        if copied == 1 { "was" } else { "were" },
    );
    format!(
        "leg {leg} is in step: {} {had} there, {copied} ({}) {more} copied{misses}",
        counted(common, "object"),
        HumanBytes(bytes)
    )
}

/// Which sink each leg has from now on.
fn choose(
    legs: &[LegConfig],
    named: &[LegVolume],
    sink_named: impl Fn(&str) -> Result<Sink>,
) -> Result<Vec<Sink>> {
    for (number, LegVolume { leg, .. }) in named.iter().enumerate() {
        let names: Vec<_> = legs.iter().map(|leg| leg.options.name.as_str()).collect();
        ensure!(
            names.contains(&leg.as_str()),
            "there is no leg {leg}: the legs are {}",
            names.join(", ")
        );
        let twice = named.iter().skip(number + 1).any(|other| other.leg == *leg);
        ensure!(!twice, "leg {leg} is named twice");
    }
    let chosen = legs.iter().map(|leg| {
        let name = &leg.options.name;
        if let Some(volume) = named.iter().find(|volume| volume.leg == *name) {
            let sink = sink_named(&volume.sink);
            return sink.with_context(|| format!("leg {name}"));
        }
        match &leg.sink {
            Some(sink) if is_changed_by_hand(sink) => Ok(sink.clone()),
            _ => bail!(
                "leg {name} needs a volume: every leg gets a new one, 'pseudotape-mirror load {name}=SINK ...'"
            ),
        }
    });
    chosen.collect()
}

/// Whether the same sink can be another volume.
fn is_changed_by_hand(sink: &Sink) -> bool {
    match sink.place {
        Location::Path(_) | Location::Image(_) => false,
        Location::Device(_) | Location::Rmt(_) | Location::Null(_) => true,
    }
}

impl Operator for Desk {
    type Request = Request;
    type Response = Response;

    fn answer(&self, request: Request, peer: Peer) -> Response {
        self.act(request, peer).unwrap_or_else(|error| {
            let message = explain(error.chain());
            log::warn!("refused or failed: {message}");
            Response::Error { message }
        })
    }

    fn refusal(&self, message: String) -> Response {
        Response::Error { message }
    }
}
