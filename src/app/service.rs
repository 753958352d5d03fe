//! Wires what the API asks of the rest of the service.

use std::sync::Arc;

use futures::FutureExt;

use crate::{
    app::App,
    sync::{Preview, Rehearsal},
    web::service::{Plan, Rehearsed, Seen, Service},
};

impl App {
    pub(super) fn service(&self) -> Service {
        let (sync, sources, recent) = (self.sync.clone(), self.sync.sources.clone(), self.sync.recent.clone());
        Service {
            look: Arc::new(move |id| {
                let sync = sync.clone();
                async move {
                    let preview = sync.outlook(&id).await?;
                    Ok(preview.map(|preview| Seen {
                        plan: plan(&preview),
                        state: preview.state,
                    }))
                }
                .boxed()
            }),
            read_anew: Arc::new(move |id| recent.forget(id)),
            rehearse: Arc::new(move |body| {
                let sources = sources.clone();
                async move {
                    let rehearsal = sources.rehearse(&body).await?;
                    Ok(Rehearsed {
                        text: rehearsal.to_string(),
                        readable: !matches!(rehearsal, Rehearsal::Refused(_)),
                        plan: match &rehearsal {
                            Rehearsal::Accepted { preview, .. } => Some(plan(preview)),
                            _ => None,
                        },
                    })
                }
                .boxed()
            }),
        }
    }
}

fn plan(preview: &Preview) -> Plan {
    Plan {
        text: preview.to_string(),
        waves: preview.waves.clone(),
    }
}
