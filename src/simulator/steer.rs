//! The simulator's verbs for the gateway and for bots, as tests in the same process call them; the control routes do the same.

use super::{
    Bits, ControlError, EventFault, GatewayReport, Simulator, Whose,
    world::{MemberChange, RoleChange},
};

impl Simulator {
    /// Sessions, open connections, and what was counted.
    pub fn gateway(&self) -> GatewayReport {
        self.shared.lock().discord.gateway.report()
    }

    pub fn clear_gateway_counts(&self) {
        self.shared.lock().discord.gateway.clear_counts();
    }

    /// Ends connections with a close code, or cuts them without one. Says how many.
    pub fn end_connections(&self, whose: &Whose, code: Option<u16>) -> usize {
        let mut state = self.shared.lock();
        let now = state.clock.now();
        state.discord.gateway.end_those(whose, code, now)
    }

    /// Op 7.
    pub fn ask_to_reconnect(&self, whose: &Whose) -> usize {
        self.shared.lock().discord.gateway.ask_to_reconnect(whose)
    }

    /// Op 9.
    pub fn invalidate_sessions(&self, whose: &Whose, resumable: bool) -> usize {
        let mut state = self.shared.lock();
        let now = state.clock.now();
        state.discord.gateway.invalidate(whose, resumable, now)
    }

    /// So many connections to come end right after their hello.
    pub fn end_after_hello(&self, times: u32, code: Option<u16>) {
        self.shared.lock().discord.gateway.end_after_hello(times, code);
    }

    /// So many resumes to come are refused, and their sessions gone.
    pub fn refuse_resumes(&self, times: u32) {
        self.shared.lock().discord.gateway.refuse_resumes(times);
    }

    pub fn leave_heartbeats_unanswered(&self, unanswered: bool) {
        let mut state = self.shared.lock();
        state.discord.gateway.leave_heartbeats_unanswered(unanswered);
    }

    /// Loses, repeats or holds back events to come.
    pub fn upset_events(&self, fault: EventFault) -> Result<(), ControlError> {
        self.shared.lock().upset(fault)
    }

    /// Tells the events that were held back.
    pub fn release_events(&self) {
        self.shared.lock().discord.release();
    }

    pub fn set_outage(&self, guild: &str, outage: bool) -> Result<(), ControlError> {
        self.shared.lock().set_outage(guild, outage)
    }

    pub fn rename_guild(&self, guild: &str, name: &str) -> Result<(), ControlError> {
        self.shared.lock().rename_guild(guild, name)
    }

    /// Lets a bot of the world into a guild.
    pub fn add_bot(&self, guild: &str, bot: &str, permissions: u64) -> Result<(), ControlError> {
        self.shared.lock().add_bot(guild, bot, Some(Bits(permissions)))
    }

    /// Throws it out.
    pub fn remove_bot(&self, guild: &str, bot: &str) -> Result<(), ControlError> {
        self.shared.lock().remove_bot(guild, bot)
    }

    /// Makes a role, or changes what it grants.
    pub fn set_role(&self, guild: &str, role: &str, bits: u64) -> Result<(), ControlError> {
        let change = RoleChange {
            permissions: Some(Bits(bits)),
            ..RoleChange::default()
        };
        self.shared.lock().set_role(guild, role, &change)
    }

    pub fn delete_role(&self, guild: &str, role: &str) -> Result<(), ControlError> {
        self.shared.lock().delete_role(guild, role)
    }

    /// Somebody joins a guild, or has these roles there from now on.
    pub fn set_roles_of(&self, guild: &str, user: &str, roles: &[&str]) -> Result<(), ControlError> {
        let roles = roles.iter().map(|role| super::state::id(role));
        let change = MemberChange {
            roles: Some(roles.collect::<Result<_, _>>()?),
            ..MemberChange::default()
        };
        self.shared.lock().set_member(guild, user, change)
    }

    /// Somebody leaves a guild.
    pub fn remove_member(&self, guild: &str, user: &str) -> Result<(), ControlError> {
        self.shared.lock().remove_member(guild, user)
    }

    /// Sets a channel's overwrites, in the form of the world file.
    pub fn set_overwrites(&self, channel: &str, overwrites: &serde_json::Value) -> Result<(), ControlError> {
        let given: Vec<super::world::OverwriteFile> =
            serde_json::from_value(overwrites.clone()).map_err(|error| ControlError::Malformed(error.to_string()))?;
        self.shared.lock().set_overwrites(channel, &given)
    }

    /// Gives a bot another token: REST answers 401 to the old one, sessions end with 4004.
    pub fn reset_token(&self, bot: &str, token: &str) -> Result<(), ControlError> {
        self.shared.lock().reset_token(bot, token)
    }
}
