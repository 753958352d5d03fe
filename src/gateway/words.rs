//! What the numbers of a closed gateway connection mean, and what a person can do about those that are final.

/// Why a connection may never be made again as it was; None for all codes after which we try again.
pub(super) fn fatal(code: u16) -> Option<&'static str> {
    Some(match code {
        4004 => {
            "Discord refuses the bot's token (close code 4004): make a new one at discord.com/developers/applications → your application \
             → Bot → Reset Token, set DISCORD_TOKEN to it, and start Muster again"
        }
        4010 => {
            "Discord does not know this shard (close code 4010): leave DISCORD_SHARDS out, so that Discord's own number is taken, and start \
             Muster again"
        }
        4011 => {
            "the bot is in too many servers for so few shards (close code 4011): leave DISCORD_SHARDS out or raise it, and start Muster again"
        }
        4012 => {
            "Discord no longer speaks this version of its gateway (close code 4012): install a newer version of Muster"
        }
        4013 | 4014 => {
            "Discord refuses the intents GUILDS and GUILD_VOICE_STATES (close codes 4013 and 4014), which every bot may have: look at the \
             application at discord.com/developers/applications, install a newer version of Muster, or report this"
        }
        _ => return None,
    })
}

/// Codes after which the session can't be resumed: it timed out, or we are out of step with it.
pub(super) fn session_is_lost(code: u16) -> bool {
    matches!(code, 4007 | 4009)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exactly_the_codes_that_discord_names_are_final_and_each_says_what_to_do() {
        let (finals, others): (Vec<u16>, Vec<u16>) = (1000..=4999).partition(|code| fatal(*code).is_some());
        assert_eq!(finals, [4004, 4010, 4011, 4012, 4013, 4014]);
        assert!(others.contains(&4009) && others.contains(&1006));
        for code in finals {
            let text = fatal(code).unwrap();
            assert!(text.contains(&code.to_string()), "{text}");
        }
    }
}
