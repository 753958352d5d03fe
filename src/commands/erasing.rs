//! The job of an erasing: what is stored is looked through piece by piece until nothing of the person is left; then his message in Discord says so.

use std::time::Duration;

use futures::future::join_all;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tracing::error;
use twilight_model::id::Id;

use crate::{
    commands::{
        Commands,
        answer::Reply,
        words::{Language, say},
    },
    domain::job::{Claim, Verdict},
    store::{
        self, Error,
        erasing::{Message, Scrubbing},
        erasings,
        workers::WorkerId,
    },
};

/// Pieces that are looked through in one run; then it is the turn of whoever waits.
const PIECES: usize = 12;
/// The longest that an erasing waits for Discord to show how far it is.
const SHOWN_WITHIN: Duration = Duration::from_secs(10);
const NOT_READY: Duration = Duration::from_secs(1);

impl Commands {
    /// Runs the claimed job of the erasing with this number. `stop` ends it between two pieces. What it says of a failure names nobody.
    pub async fn erase(&self, worker: WorkerId, claim: &Claim, number: i64, stop: &CancellationToken) -> Verdict {
        match self.erase_some(worker, claim, number, stop).await {
            Ok(verdict) => verdict,
            Err(Error::Unavailable(_)) => Verdict::Retry {
                why: "the database was not available".to_owned(),
                after: NOT_READY,
            },
            Err(Error::Unexpected(why)) => {
                error!(why, "somebody could not be erased");
                Verdict::Failed {
                    why: "the database refused; the log says why".to_owned(),
                }
            }
        }
    }

    async fn erase_some(
        &self,
        worker: WorkerId,
        claim: &Claim,
        number: i64,
        stop: &CancellationToken,
    ) -> Result<Verdict, Error> {
        let services = &self.0.services;
        for piece in 1..=PIECES {
            if stop.is_cancelled() {
                return Ok(Verdict::Yielded);
            }
            // Each for itself: what is done is done, and nobody waits for a long transaction.
            let mut transaction = services.pool.begin().await?;
            let Some(mut erasing) = erasings::lock(&mut transaction, number).await? else {
                return Ok(Verdict::Done { look_again: None });
            };
            if !store::jobs::still_owned(&mut transaction, worker, claim).await? {
                return Ok(Verdict::Lost);
            }
            erasing.step(&mut transaction, services.clock.now()).await?;
            let announce = piece == PIECES && !erasing.is_done() && !erasing.announced;
            erasing.announced |= announce;
            erasings::save(&mut transaction, number, &erasing).await?;
            transaction.commit().await?;
            if announce {
                self.show_all(&erasing, goes_on).await;
            }
            if erasing.is_done() {
                self.show_all(&erasing, done).await;
                return self.end(number).await;
            }
        }
        Ok(again(self))
    }

    /// Unless he has asked once more meanwhile.
    async fn end(&self, number: i64) -> Result<Verdict, Error> {
        let mut transaction = self.0.services.pool.begin().await?;
        let erasing = erasings::lock(&mut transaction, number).await?;
        if erasing.is_some_and(|erasing| !erasing.is_done()) {
            return Ok(again(self));
        }
        erasings::remove(&mut transaction, number).await?;
        transaction.commit().await?;
        Ok(Verdict::Done { look_again: None })
    }

    /// Best effort: he is erased whatever Discord says.
    async fn show_all(&self, erasing: &Scrubbing, text: fn(Language, &Scrubbing) -> String) {
        let show = |message: &Message| {
            let reply = Reply::text(text(Language::of(Some(&message.language)), erasing));
            let (application, token) = (Id::new_checked(message.application), message.token.clone());
            async move {
                if let Some(application) = application {
                    self.show(application, &token, "/erase", &reply).await;
                }
            }
        };
        // Whoever is not told in time reads it in his next `/export`.
        let _ = timeout(SHOWN_WITHIN, join_all(erasing.messages.iter().map(show))).await;
    }
}

fn again(commands: &Commands) -> Verdict {
    Verdict::Done {
        look_again: Some(commands.0.services.clock.now()),
    }
}

fn goes_on(language: Language, _: &Scrubbing) -> String {
    say!(
        language,
        "Your link and your sign-ins are deleted. What FACEIT has sent about matches is still being looked through for your names. That goes on by \
         itself, and this message says when it is done.",
        German: "Deine Verknüpfung und deine Anmeldungen sind gelöscht. Was FACEIT über Matches geschickt hat, wird noch nach deinen Namen durchsucht. \
                 Das läuft von selbst weiter, und diese Nachricht sagt, wenn es fertig ist."
    )
}

fn done(language: Language, erasing: &Scrubbing) -> String {
    let (deliveries, matches) = (erasing.deliveries, erasing.matches);
    say!(
        language,
        "Everything is deleted: your link and sign-ins, and your names in {deliveries} recorded messages of FACEIT and {matches} matches.",
        German: "Alles ist gelöscht: deine Verknüpfung und Anmeldungen, und deine Namen in {deliveries} aufgezeichneten Nachrichten von FACEIT und \
                 {matches} Matches."
    )
}
