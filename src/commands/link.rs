//! `/link`: an address for one use, where the asker signs in at FACEIT and so proves that the account is his.

use base64::prelude::{BASE64_URL_SAFE_NO_PAD, Engine as _};
use twilight_interactions::command::{CommandModel, CreateCommand};

use crate::{
    commands::{
        answer::Reply,
        context::Context,
        limit::Counted,
        trouble::Trouble,
        words::{described, plain, say},
    },
    store::{
        link_states::{self, LASTS, Wish},
        links::Method,
    },
};

/// `/link`
#[derive(CommandModel, CreateCommand)]
#[command(name = "link", desc_localizations = "description", contexts = "guild")]
pub struct Link;

described! {
    description: "Link your FACEIT account by signing in there", "de": "Verknüpfe dein FACEIT-Konto, indem du dich dort anmeldest";
}

impl Link {
    pub async fn run(context: &Context) -> Result<Reply, Trouble> {
        let language = context.language();
        let Some(sign_in) = &context.services().sign_in else {
            return Ok(Reply::text(say!(
                language,
                "The operator of this bot has not set up signing in at FACEIT. Use `/register` with your FACEIT nickname.",
                German: "Die Anmeldung bei FACEIT ist bei diesem Bot nicht eingerichtet. Nutze `/register` mit deinem FACEIT-Namen."
            )));
        };
        if let Some(link) = context.link().await?
            && link.method == Method::Oauth
        {
            let nickname = plain(&link.row.nickname);
            return Ok(Reply::text(say!(
                language,
                "You are linked to **{nickname}** already, proven by signing in. To link another FACEIT account, run `/unlink` first.",
                German: "Du bist schon mit **{nickname}** verknüpft, durch Anmeldung bewiesen. Für ein anderes FACEIT-Konto rufe erst `/unlink` auf."
            )));
        }
        context.count(Counted::Link)?;
        let token = BASE64_URL_SAFE_NO_PAD.encode(rand::random::<[u8; 32]>());
        let wish = Wish {
            user: context.user(),
            name: context.asked.name.clone(),
            guild: context.asked.guild,
        };
        let now = context.services().clock.now();
        let mut transaction = context.transaction().await?;
        link_states::open(&mut transaction, &token, &wish, now).await?;
        context.commit(transaction).await?;
        let until = (now + LASTS).unix_timestamp();
        let text = say!(
            language,
            "Sign in at FACEIT to link your account. The address is yours alone: it works once, until <t:{until}:t>. Don't pass it on.",
            German: "Melde dich bei FACEIT an, um dein Konto zu verknüpfen. Die Adresse ist nur für dich: Sie gilt einmal, bis <t:{until}:t>. Gib sie \
                     nicht weiter."
        );
        let label = say!(language, "Sign in at FACEIT", German: "Bei FACEIT anmelden");
        Ok(Reply::text(text).address(label, format!("{sign_in}/faceit/link/{token}")))
    }
}
