//! The doctor with what a configuration gives him: for `muster doctor`, which takes what is right in a wrong one, and for the service.

use std::{sync::Arc, time::Duration};

use futures::FutureExt;
use url::Url;

use crate::{
    config::{Config, Linking},
    discord,
    doctor::{self, Doctor, Portal, SignIns},
    faceit::oauth::{Options, SignIn},
    sync::Sync,
    web,
};

/// For each of the two calls to FACEIT when a player signs in.
const SIGN_IN_WITHIN: Duration = Duration::from_secs(8);
/// Within the deadline of a request.
const WEB_WITHIN: Duration = Duration::from_secs(15);
/// Three calls each, which the bot's work has to do without.
const WEB_SERVERS: usize = 20;

/// FACEIT's sign-in for players.
pub fn faceit_sign_in(linking: &Linking) -> anyhow::Result<SignIn> {
    let below = |path: &str| format!("{}{path}", linking.auth).parse();
    Ok(SignIn::new(Options {
        client_id: linking.client_id.clone(),
        client_secret: linking.client_secret.clone(),
        redirect: linking.redirect.clone(),
        authorize: linking.accounts.clone(),
        token: below("/oauth/token")?,
        userinfo: below("/resources/userinfo")?,
        deadline: SIGN_IN_WITHIN,
    })?)
}

/// `api` is the base of Discord's REST API.
pub fn sign_ins(
    linking: Option<&Linking>,
    admin: Option<&web::auth::Settings>,
    api: Option<&Url>,
) -> anyhow::Result<SignIns> {
    let faceit = linking.map(|linking| anyhow::Ok((faceit_sign_in(linking)?, linking.redirect.clone())));
    let discord = admin.zip(api).map(|(admin, api)| {
        let oauth =
            discord::oauth::OAuth::new(api, &admin.authorize_url, &admin.client_id, admin.client_secret.clone())?;
        anyhow::Ok((oauth, admin.callback()))
    });
    Ok(SignIns {
        faceit: faceit.transpose()?,
        discord: discord.transpose()?,
    })
}

pub fn portal(public_key: Option<[u8; 32]>, admin: Option<&web::auth::Settings>) -> Portal {
    Portal {
        client_id: admin.map(|admin| admin.client_id.clone()),
        redirect: admin.map(web::auth::Settings::callback),
        public_key,
    }
}

/// For `/readyz?verbose`: the settings are those that the service has started with.
pub(super) fn for_the_web(config: &Config, sync: &Sync) -> anyhow::Result<web::Examine> {
    let secret = doctor::secret(&config.webhook.secret, config.webhook.query.as_deref());
    let admin = config.admin.as_ref();
    let doctor = Doctor {
        pool: Some(sync.sources.pool.clone()),
        faceit: Some(sync.sources.faceit.clone()),
        discord: Some(sync.discord.clone()),
        default_guild: config.guild.settings(),
        sign_ins: sign_ins(config.linking.as_ref(), admin, Some(&config.discord.api))?,
        portal: portal(config.public_key, admin),
        clock: sync.sources.clock.clone(),
        within: WEB_WITHIN,
        most_servers: WEB_SERVERS,
    };
    Ok(Arc::new(move || {
        let (doctor, secret) = (doctor.clone(), secret.clone());
        async move { doctor.examine(vec![secret]).await.to_json() }.boxed()
    }))
}

/// What the doctor says of one guild; nothing of the service itself, which is no business of a guild's staff.
pub(super) fn for_a_guild(sync: &Sync) -> web::auth::Examine {
    let doctor = Doctor {
        pool: Some(sync.sources.pool.clone()),
        faceit: None,
        discord: Some(sync.discord.clone()),
        default_guild: sync.sources.default_guild.as_deref().cloned(),
        sign_ins: SignIns::default(),
        portal: Portal::default(),
        clock: sync.sources.clock.clone(),
        within: WEB_WITHIN,
        most_servers: 1,
    };
    Arc::new(move |guild| {
        let doctor = doctor.clone();
        async move { doctor.examine_server(guild).await.to_json() }.boxed()
    })
}
