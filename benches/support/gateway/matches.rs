//! Running matches, as the service itself would have left them in the database: standing, everybody in his channel, nothing due.

use muster::store::Pool;
use serde_json::{Value, json};

use super::guilds::{GUILDS, MATCHES, PLAYERS, match_channel_id, player, user_id};

pub fn id(number: u64) -> String {
    format!("1-bench-{number:05}")
}

/// FACEIT's account of a person.
fn account(person: u64) -> String {
    format!("p-{person}")
}

/// What `GET /matches/{id}` answers.
pub fn faceit(number: u64) -> Value {
    let side = |faction: u64| {
        let places = faction * PLAYERS / 2..(faction + 1) * PLAYERS / 2;
        json!({
            "faction_id": "t", "leader": "", "avatar": "", "name": "team", "type": "", "substituted": false,
            "roster": places.map(|place| player(number, place)).map(|person| json!({
                "player_id": account(person), "nickname": format!("Person{person}"), "avatar": "", "membership": "free",
                "game_player_id": "76561190000000000", "game_player_name": "x", "game_skill_level": 5, "anticheat_required": true,
            })).collect::<Vec<_>>(),
        })
    };
    json!({
        "match_id": id(number), "version": 2, "game": "cs2", "region": "EU", "competition_id": "hub-1", "competition_type": "hub",
        "competition_name": "League", "organizer_id": "organizer-1", "calculate_elo": true, "best_of": 1, "status": "ONGOING",
        "configured_at": 1_790_000_000, "teams": {"faction1": side(0), "faction2": side(1)},
    })
}

/// Writes them all.
pub async fn prepare(pool: &Pool) -> anyhow::Result<()> {
    let facts = |number: u64| {
        let body = faceit(number);
        let side = |name: &str| {
            let roster = body["teams"][name]["roster"].as_array().into_iter().flatten();
            let roster: Vec<_> = roster
                .map(|one| json!({ "id": one["player_id"], "nickname": one["nickname"] }))
                .collect();
            json!({ "bye": false, "name": "team", "team_id": "t", "roster": roster })
        };
        json!({
            "game": "cs2", "region": "EU", "status": "ONGOING", "map": null, "started_at": null, "finished_at": null, "scheduled_at": null,
            "configured_at": "2026-09-21T14:13:20Z", "sides": { "faction1": side("faction1"), "faction2": side("faction2") },
            "competition": { "id": "hub-1", "kind": "hub", "name": "League", "organizer_id": "organizer-1" },
        })
    };
    for number in 0..GUILDS * MATCHES {
        let guild = i64::try_from(super::guilds::guild_id(number / MATCHES))?;
        sqlx::query(
            "insert into matches (match_id, guild_id, status, facts, last_version, first_seen_at, live_since, updated_at)
            values ($1, $2, 'ONGOING', $3, 2, now(), now(), now())",
        )
        .bind(id(number))
        .bind(guild)
        .bind(facts(number))
        .execute(pool)
        .await?;
        let people: Vec<u64> = (0..PLAYERS).map(|place| player(number, place)).collect();
        let users = people
            .iter()
            .map(|person| Ok(i64::try_from(user_id(*person))?))
            .collect::<anyhow::Result<Vec<_>>>()?;
        sqlx::query(
            "insert into player_links (faceit_id, discord_id, nickname, verified_method, linked_at, updated_at)
            select a, d, a, 'import', now(), now() from unnest($1::text[], $2::bigint[]) as people (a, d)",
        )
        .bind(people.iter().map(|person| account(*person)).collect::<Vec<_>>())
        .bind(&users)
        .execute(pool)
        .await?;
        for faction in [0, 1] {
            let own = &users[faction * users.len() / 2..(faction + 1) * users.len() / 2];
            let name = format!("faction{}", faction + 1);
            sqlx::query(
                "insert into active_matches (match_id, faction, guild_id, channel_name, channel_id, access, updated_at)
                values ($1, $2, $3, 'match', $4, $5, now())",
            )
            .bind(id(number))
            .bind(&name)
            .bind(guild)
            .bind(i64::try_from(match_channel_id(number, faction as u64))?)
            .bind(own)
            .execute(pool)
            .await?;
            sqlx::query(
                "insert into match_members (match_id, discord_id, faction, placement, tried_in, tried_at)
                select $1, d, $2, 'moved', 'ONGOING', now() from unnest($3::bigint[]) as people (d)",
            )
            .bind(id(number))
            .bind(&name)
            .bind(own)
            .execute(pool)
            .await?;
        }
        sqlx::query("insert into jobs (key, due_at) values ($1, now() + interval '1 day')")
            .bind(format!("match:{}", id(number)))
            .execute(pool)
            .await?;
    }
    Ok(())
}
