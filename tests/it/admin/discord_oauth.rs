//! The simulated Discord's OAuth2, as its documentation has it.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use muster::simulator::{Options, Simulator, WorldFile};
use reqwest::{Response, redirect};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use url::Url;

const APPLICATION: &str = "900000000000000001";
const BACK: &str = "http://127.0.0.1:9/api/auth/callback";
const VERIFIER: &str = "a-verifier-of-enough-letters-0123456789-abcdefg";

async fn discord() -> Simulator {
    let world = json!({
        "guilds": [
            {"id": "1000", "name": "Kiosk", "owner_id": "2001", "members": [{"id": "2001", "name": "Nova"}]},
            {"id": "1001", "name": "Other", "everyone_permissions": "1024", "members": [{"id": "2001", "name": "Nova"}]},
            {"id": "1002", "name": "Third"},
        ],
        "oauth": {
            "redirect_uris": [BACK], "people": [{"id": "2999", "name": "Zoe"}],
            "guild_list": {"limit": 5, "per_ms": 3_600_000},
        },
    });
    let world = WorldFile::parse(&world.to_string()).expect("the world fits together");
    Simulator::start(world, Options::default()).await.expect("it starts")
}

fn http() -> reqwest::Client {
    let client = reqwest::Client::builder().no_proxy().redirect(redirect::Policy::none());
    client.build().expect("a client")
}

fn page(discord: &Simulator, changes: &[(&str, &str)]) -> Url {
    let challenge = URL_SAFE_NO_PAD.encode(Sha256::digest(VERIFIER));
    let mut url = Url::parse(&discord.addresses().discord_authorize).unwrap();
    let usual = [
        ("response_type", "code"),
        ("client_id", APPLICATION),
        ("redirect_uri", BACK),
        ("scope", "identify guilds"),
        ("state", "st&te"),
        ("code_challenge", &challenge),
        ("code_challenge_method", "S256"),
    ];
    for (name, value) in usual {
        let value = changes
            .iter()
            .find(|(changed, _)| *changed == name)
            .map_or(value, |(_, value)| value);
        url.query_pairs_mut().append_pair(name, value);
    }
    url
}

async fn agree(discord: &Simulator, user: &str) -> String {
    let answer = http()
        .post(page(discord, &[]))
        .body(format!("user={user}"))
        .send()
        .await
        .unwrap();
    assert_eq!(answer.status(), 302);
    let back = Url::parse(answer.headers()["location"].to_str().unwrap()).unwrap();
    assert!(back.as_str().starts_with(BACK), "{back}");
    let field = |name: &str| {
        back.query_pairs()
            .find(|(key, _)| key == name)
            .map(|(_, value)| value.into_owned())
    };
    assert_eq!(field("state").as_deref(), Some("st&te"));
    field("code").expect("a code")
}

async fn ask(discord: &Simulator, path: &str, form: &str) -> (u16, Value) {
    let request = http().post(format!("{}{path}", discord.addresses().discord_api));
    let request = request.basic_auth(APPLICATION, Some("simulated-client-secret"));
    let request = request.header("content-type", "application/x-www-form-urlencoded");
    read(request.body(form.to_owned()).send().await.unwrap()).await
}

async fn exchange(discord: &Simulator, code: &str, changes: &[(&str, &str)]) -> (u16, Value) {
    let usual = [
        ("grant_type", "authorization_code"),
        ("code", code),
        ("redirect_uri", BACK),
        ("code_verifier", VERIFIER),
    ];
    let mut form = url::form_urlencoded::Serializer::new(String::new());
    for (name, value) in usual {
        let value = changes
            .iter()
            .find(|(changed, _)| *changed == name)
            .map_or(value, |(_, value)| value);
        form.append_pair(name, value);
    }
    ask(discord, "/oauth2/token", &form.finish()).await
}

async fn get(discord: &Simulator, path: &str, token: &Value) -> (u16, Value) {
    let url = format!("{}{path}", discord.addresses().discord_api);
    read(
        http()
            .get(url)
            .bearer_auth(token.as_str().unwrap())
            .send()
            .await
            .unwrap(),
    )
    .await
}

async fn read(answer: Response) -> (u16, Value) {
    (answer.status().as_u16(), answer.json().await.expect("JSON"))
}

#[tokio::test]
async fn consent_gives_a_code_and_the_code_gives_tokens_for_that_person_once() {
    let discord = discord().await;
    let shown = http()
        .get(page(&discord, &[]))
        .send()
        .await
        .unwrap()
        .text()
        .await
        .unwrap();
    assert!(
        shown.contains("Continue as Nova") && shown.contains("Continue as Zoe"),
        "{shown}"
    );
    let code = agree(&discord, "2001").await;
    let (status, tokens) = exchange(&discord, &code, &[]).await;
    assert_eq!(
        (status, &tokens["token_type"], &tokens["expires_in"]),
        (200, &json!("Bearer"), &json!(604_800))
    );
    assert_eq!(exchange(&discord, &code, &[]).await.1["error"], "invalid_grant");
    let access = &tokens["access_token"];
    assert_eq!(get(&discord, "/users/@me", access).await.1["id"], "2001");
    let (_, guilds) = get(&discord, "/users/@me/guilds", access).await;
    let told: Vec<_> = guilds
        .as_array()
        .unwrap()
        .iter()
        .map(|g| (&g["id"], &g["owner"], &g["permissions"]))
        .collect();
    let all = json!("9007199254740991");
    assert_eq!(
        told,
        [
            (&json!("1000"), &json!(true), &all),
            (&json!("1001"), &json!(false), &json!("1024"))
        ]
    );
    let (_, own) = get(&discord, "/oauth2/@me", access).await;
    assert_eq!(
        (&own["user"]["id"], &own["scopes"]),
        (&json!("2001"), &json!(["identify", "guilds"]))
    );
    assert_eq!(discord.unknown_requests(), vec![]);
}

#[tokio::test]
async fn wrong_addresses_verifiers_secrets_and_a_refused_consent_give_no_token() {
    let discord = discord().await;
    for changes in [
        ("redirect_uri", "http://127.0.0.1:9/elsewhere"),
        ("client_id", "1"),
        ("code_challenge_method", "plain"),
    ] {
        let answer = http().get(page(&discord, &[changes])).send().await.unwrap();
        assert_eq!(answer.status(), 400, "{changes:?}");
    }
    let refused = http()
        .post(page(&discord, &[]))
        .body("cancel=true")
        .send()
        .await
        .unwrap();
    let back = refused.headers()["location"].to_str().unwrap().to_owned();
    assert!(
        back.contains("error=access_denied") && back.contains("state=st%26te"),
        "{back}"
    );
    for changes in [
        ("code_verifier", "another"),
        ("redirect_uri", "http://127.0.0.1:9/"),
        ("code", "x"),
    ] {
        let code = agree(&discord, "2001").await;
        let (status, body) = exchange(&discord, &code, &[changes]).await;
        assert_eq!((status, &body["error"]), (400, &json!("invalid_grant")), "{changes:?}");
    }
    let url = format!("{}/oauth2/token", discord.addresses().discord_api);
    let wrong = http().post(&url).basic_auth(APPLICATION, Some("wrong"));
    let wrong = wrong
        .header("content-type", "application/x-www-form-urlencoded")
        .body("grant_type=refresh_token");
    assert_eq!(
        read(wrong.send().await.unwrap()).await,
        (401, json!({"error": "invalid_client"}))
    );
    assert_eq!(http().post(&url).json(&json!({})).send().await.unwrap().status(), 400);
}

#[tokio::test]
async fn a_refresh_kills_the_old_pair_and_a_revocation_the_whole_authorization() {
    let discord = discord().await;
    let (_, old) = exchange(&discord, &agree(&discord, "2001").await, &[]).await;
    let form = |tokens: &Value| {
        format!(
            "grant_type=refresh_token&refresh_token={}",
            tokens["refresh_token"].as_str().unwrap()
        )
    };
    let (status, new) = ask(&discord, "/oauth2/token", &form(&old)).await;
    assert_eq!(status, 200);
    assert_eq!(
        ask(&discord, "/oauth2/token", &form(&old)).await.1["error"],
        "invalid_grant"
    );
    assert_eq!(get(&discord, "/users/@me", &old["access_token"]).await.0, 401);
    assert_eq!(get(&discord, "/users/@me", &new["access_token"]).await.0, 200);
    let (_, second) = exchange(&discord, &agree(&discord, "2001").await, &[]).await;
    let revoke = format!("token={}", new["access_token"].as_str().unwrap());
    assert_eq!(ask(&discord, "/oauth2/token/revoke", &revoke).await.0, 200);
    for tokens in [&new, &second] {
        assert_eq!(get(&discord, "/users/@me", &tokens["access_token"]).await.0, 401);
    }
}

#[tokio::test]
async fn the_list_of_guilds_is_limited_for_each_person_and_tokens_expire() {
    let discord = discord().await;
    let (_, nova) = exchange(&discord, &agree(&discord, "2001").await, &[]).await;
    let (_, zoe) = exchange(&discord, &agree(&discord, "2999").await, &[]).await;
    for _ in 0..5 {
        assert_eq!(get(&discord, "/users/@me/guilds", &nova["access_token"]).await.0, 200);
    }
    let (status, body) = get(&discord, "/users/@me/guilds", &nova["access_token"]).await;
    assert_eq!((status, &body["global"]), (429, &json!(false)));
    assert_eq!(
        get(&discord, "/users/@me/guilds", &zoe["access_token"]).await,
        (200, json!([]))
    );
    discord.advance(std::time::Duration::from_secs(604_801));
    assert_eq!(get(&discord, "/users/@me", &zoe["access_token"]).await.0, 401);
}
