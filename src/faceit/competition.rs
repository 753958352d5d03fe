//! Hubs, championships and organizers by their id: whether there is one, and what it is called.

use serde::Deserialize;

use crate::{
    domain::settings::ClaimKind,
    faceit::{client::Client, error::Error},
};

/// What FACEIT calls it, and whose it is.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Named {
    pub name: String,
    /// Its own id for an organizer.
    #[serde(default)]
    pub organizer_id: String,
}

impl Client {
    /// `GET /hubs/{id}`, `/championships/{id}` or `/organizers/{id}`.
    pub async fn competition(&self, kind: ClaimKind, id: &str) -> Result<Named, Error> {
        let (route, folder) = match kind {
            ClaimKind::Hub => ("/hubs/{id}", "hubs"),
            ClaimKind::Championship => ("/championships/{id}", "championships"),
            ClaimKind::Organizer => ("/organizers/{id}", "organizers"),
        };
        let body = self.get(route, self.url(route, &[folder, id], &[])?).await?;
        serde_json::from_value(body).map_err(|error| Error::Unexpected {
            route,
            why: error.to_string(),
        })
    }
}
