//! The token endpoint: codes and refresh tokens against access tokens, and revoking them. Form-encoded only, as Discord's.

use std::{collections::BTreeMap, time::Duration};

use axum::http::StatusCode;
use base64::{
    Engine as _,
    engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD},
};
use serde_json::json;
use sha2::{Digest, Sha256};

use super::{Grant, OAuth, refused};
use crate::simulator::exchange::{Answer, Call, parameters};

impl OAuth {
    pub(super) fn token(&mut self, call: &Call, now: Duration) -> Answer {
        let form = match self.form(call) {
            Ok(form) => form,
            Err(answer) => return *answer,
        };
        let field = |name: &str| form.get(name).map(String::as_str).unwrap_or_default();
        let expires_in = self.file.expires_in;
        let given = match field("grant_type") {
            "authorization_code" => self.exchange(
                field("code"),
                field("redirect_uri"),
                form.get("code_verifier").map(String::as_str),
                now,
            ),
            "refresh_token" => self.refresh(field("refresh_token"), now),
            _ => return refused(StatusCode::BAD_REQUEST, "unsupported_grant_type", ""),
        };
        match given {
            Err(why) => refused(StatusCode::BAD_REQUEST, "invalid_grant", why),
            Ok(grant) => Answer::json(
                StatusCode::OK,
                &json!({
                    "access_token": grant.access, "token_type": "Bearer", "expires_in": expires_in,
                    "refresh_token": grant.refresh, "scope": grant.scopes.join(" "),
                }),
            ),
        }
    }

    /// A code is gone once it was tried, right or wrong.
    fn exchange(
        &mut self,
        code: &str,
        redirect_uri: &str,
        verifier: Option<&str>,
        now: Duration,
    ) -> Result<&Grant, &'static str> {
        let code = self.codes.remove(code).filter(|code| code.expires > now);
        let code = code.ok_or("Invalid \"code\" in request.")?;
        if code.redirect_uri != redirect_uri {
            return Err("Invalid \"redirect_uri\" in request.");
        }
        let proven = verifier.map(|verifier| URL_SAFE_NO_PAD.encode(Sha256::digest(verifier)));
        if code.challenge.is_some() && code.challenge != proven {
            return Err("Invalid \"code_verifier\" in request.");
        }
        let expires = now + Duration::from_secs(self.file.expires_in);
        self.grants.push(Grant {
            user: code.user,
            scopes: code.scopes,
            access: secret(),
            refresh: secret(),
            expires,
        });
        self.grants.last().ok_or("Invalid \"code\" in request.")
    }

    /// Both tokens are new, and both old ones dead.
    fn refresh(&mut self, token: &str, now: Duration) -> Result<&Grant, &'static str> {
        let expires = now + Duration::from_secs(self.file.expires_in);
        let grant = self.grants.iter_mut().find(|grant| grant.refresh == token);
        let grant = grant.ok_or("Invalid \"refresh_token\" in request.")?;
        (grant.access, grant.refresh, grant.expires) = (secret(), secret(), expires);
        Ok(grant)
    }

    /// Takes all tokens of that authorization with it (Discord docs, OAuth2, "Token Revocation").
    pub(super) fn revoke(&mut self, call: &Call) -> Answer {
        let form = match self.form(call) {
            Ok(form) => form,
            Err(answer) => return *answer,
        };
        let token = form.get("token").map(String::as_str).unwrap_or_default();
        let owner = self
            .grants
            .iter()
            .find(|grant| grant.access == token || grant.refresh == token);
        if let Some(user) = owner.map(|grant| grant.user) {
            self.deauthorize(user);
        }
        // RFC 7009: whoever asks learns nothing about tokens that are not his.
        Answer::json(StatusCode::OK, &json!({}))
    }

    /// The form, of the application itself: by HTTP Basic, or by id and secret in the form.
    fn form(&self, call: &Call) -> Result<BTreeMap<String, String>, Box<Answer>> {
        let media_type = call.header("content-type").unwrap_or_default();
        if !media_type.starts_with("application/x-www-form-urlencoded") {
            let why = "Only application/x-www-form-urlencoded is taken here.";
            return Err(Box::new(refused(StatusCode::BAD_REQUEST, "invalid_request", why)));
        }
        let form: BTreeMap<String, String> = parameters(&String::from_utf8_lossy(&call.body)).collect();
        let own = (self.file.client_id.to_string(), self.file.client_secret.clone());
        let basic = call
            .header("authorization")
            .and_then(|value| value.strip_prefix("Basic "));
        let given = match basic {
            Some(basic) => STANDARD.decode(basic).ok().and_then(|text| {
                let text = String::from_utf8(text).ok()?;
                let (id, secret) = text.split_once(':')?;
                // RFC 6749, 2.3.1: both are form-encoded first.
                let plain = |text: &str| parameters(text).next().map(|(key, _)| key);
                Some((plain(id)?, plain(secret)?))
            }),
            None => form.get("client_id").cloned().zip(form.get("client_secret").cloned()),
        };
        if given == Some(own) {
            Ok(form)
        } else {
            Err(Box::new(refused(StatusCode::UNAUTHORIZED, "invalid_client", "")))
        }
    }
}

/// Not to be guessed: codes and tokens are worth something even here, where tests look for them in logs.
pub(super) fn secret() -> String {
    URL_SAFE_NO_PAD.encode(rand::random::<[u8; 24]>())
}
