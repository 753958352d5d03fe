// A stock discord.js bot against the simulator: what a bot like Muster does, and nothing that is made for the simulator.
import { ChannelType, Client, Events, GatewayIntentBits, MessageFlags, PermissionFlagsBits as May } from "discord.js";

const { SIMULATOR_API, SIMULATOR_CONTROL, SIMULATOR_TOKEN } = process.env;
const GUILD = "1000000000000000000";
const CATEGORY = "1000000000000000010";
const LOBBY = "1000000000000000011";
const CHAT = "1000000000000000012";
const ADA = "1000000000000002001";
const BEN = "1000000000000002002";

const client = new Client({
  intents: [GatewayIntentBits.Guilds, GatewayIntentBits.GuildVoiceStates],
  rest: { api: SIMULATOR_API.replace(/\/v10$/, ""), timeout: 20_000 },
});
client.on(Events.Error, (error) => fail(error));
client.on(Events.Warn, (warning) => fail(new Error(warning)));
process.on("unhandledRejection", (error) => fail(error));

function fail(error) {
  console.error("discord.js:", error);
  process.exit(1);
}

function check(what, holds) {
  if (!holds) fail(new Error(`not so: ${what}`));
  console.log(`  ${what}`);
}

/** The next event of a name for which something holds. */
function heard(name, holds = () => true) {
  return new Promise((resolve, reject) => {
    const late = setTimeout(() => reject(new Error(`no ${name} within 30 s`)), 30_000);
    client.on(name, function listen(...told) {
      if (!holds(...told)) return;
      clearTimeout(late);
      client.off(name, listen);
      resolve(told);
    });
  });
}

async function control(method, path, body) {
  const answer = await fetch(`${SIMULATOR_CONTROL}/control${path}`, {
    method,
    headers: { "content-type": "application/json" },
    body: body && JSON.stringify(body),
  });
  if (!answer.ok) fail(new Error(`${method} ${path}: ${answer.status} ${await answer.text()}`));
  return answer.json();
}

const ready = heard(Events.ClientReady);
await client.login(SIMULATOR_TOKEN);
await ready;
check("it logs in", client.user.tag !== null && client.application.id === client.user.id);

const guild = client.guilds.cache.get(GUILD);
check("the guild came over the gateway", guild?.available && guild.name === "Clan" && guild.channels.cache.size === 3);
check("so did who sits where", guild.voiceStates.cache.get(ADA)?.channelId === LOBBY);
check("the guild over REST", (await guild.fetch()).roles.cache.size === 3);
check("channels over REST", (await guild.channels.fetch()).size === 3);
check("roles over REST", (await guild.roles.fetch()).size === 3);
const ada = await guild.members.fetch({ user: ADA, force: true });
check("a member over REST", ada.displayName === "Ada" && ada.roles.cache.some((role) => role.name === "Staff"));
check("what it may do there", guild.members.me.permissionsIn(CATEGORY).has(May.ManageChannels | May.MoveMembers));

const announced = heard(Events.ChannelCreate);
const room = await guild.channels.create({
  name: "Match 1",
  type: ChannelType.GuildVoice,
  parent: CATEGORY,
  userLimit: 5,
  reason: "match 1",
  permissionOverwrites: [
    { id: GUILD, deny: [May.ViewChannel, May.Connect] },
    { id: client.user.id, allow: [May.ViewChannel, May.Connect, May.ManageChannels, May.MoveMembers] },
    { id: ADA, allow: [May.ViewChannel, May.Connect, May.Speak] },
  ],
});
check("it creates a private voice channel", room.userLimit === 5 && room.permissionOverwrites.cache.size === 3);
check("and is told of it", (await announced)[0].id === room.id);

const moved = heard(Events.VoiceStateUpdate, (before, after) => after.id === ADA);
await ada.voice.setChannel(room.id, "her match");
const [before, after] = await moved;
check("it moves a member and hears of it", before.channelId === LOBBY && after.channelId === room.id);
check("the member is seen in the channel", room.members.has(ADA));

const joined = heard(Events.VoiceStateUpdate, (before, after) => after.id === BEN);
await control("POST", "/discord/voice", { guild_id: GUILD, user_id: BEN, channel_id: LOBBY });
check("it hears of somebody who connects", (await joined)[1].channelId === LOBBY);
const nobody = await guild.members.fetch(BEN).then((ben) => ben.voice.disconnect());
check("it disconnects a member", nobody.id === BEN);
const refused = await ada.guild.members.edit(BEN, { channel: room.id }).catch((error) => error);
check("who isn't in voice can't be moved", refused.code === 40032 && refused.status === 400);

const changed = heard(Events.ChannelUpdate, (_, now) => now.name === "Match 1 over");
await room.edit({ name: "Match 1 over" });
await changed;
check("it renames the channel and is told of it", guild.channels.cache.get(room.id).name === "Match 1 over");
await room.permissionOverwrites.create(BEN, { ViewChannel: true, Connect: true });
check("it lets somebody else in", (await room.fetch()).permissionOverwrites.cache.has(BEN));

const chat = await client.channels.fetch(CHAT);
const message = await chat.send({ content: "Standing by", embeds: [{ title: "Match 1" }] });
check("it writes and changes a message", (await message.edit("Done")).content === "Done");
await message.delete();
const direct = await ada.send("Hello");
check("it writes to a member", direct.content === "Hello");

const commands = await client.application.commands.set([
  { name: "match", description: "My match", options: [{ type: 3, name: "id", description: "Which", required: true }] },
]);
check("it registers a command", commands.size === 1);
const run = heard(Events.InteractionCreate);
const ask = { guild_id: GUILD, user_id: ADA, command: "match", options: { id: "1" } };
const asked = control("POST", "/discord/interactions", ask);
const [interaction] = await run;
check("a command reaches it", interaction.isChatInputCommand() && interaction.options.getString("id") === "1");
await interaction.deferReply({ flags: MessageFlags.Ephemeral });
await interaction.editReply({
  content: "You play",
  components: [{ type: 1, components: [{ type: 2, style: 1, label: "Move me", custom_id: "move" }] }],
});
await interaction.followUp({ content: "Good luck", flags: MessageFlags.Ephemeral });
const { id } = await asked;
const seen = await control("GET", `/discord/interactions/${id}`);
check("its answer is seen", seen.content === "You play" && seen.private && seen.further[0].content === "Good luck");
const pressed = heard(Events.InteractionCreate);
const press = control("POST", "/discord/interactions", { guild_id: GUILD, user_id: ADA, button: "move", of: id });
const [button] = await pressed;
check("a button reaches it", button.isButton() && button.message.content === "You play");
await button.update({ content: "Moved", components: [] });
await press;
check("and its message changes", (await control("GET", `/discord/interactions/${id}`)).content === "Moved");

const resumed = heard(Events.ShardResume);
await control("POST", "/gateway/reconnect", {});
await resumed;
check("it resumes when asked to reconnect", true);

const emptied = heard(Events.VoiceStateUpdate, (before, now) => now.id === ADA && now.channelId === null);
const gone = heard(Events.ChannelDelete, (channel) => channel.id === room.id);
await room.delete("over");
await Promise.all([emptied, gone]);
check("it deletes the channel, and hears of it and of who sat there", !guild.channels.cache.has(room.id));
const unknown = await control("GET", "/unknown");
check(`the simulator knew every request ${JSON.stringify(unknown)}`, unknown.length === 0);
await client.destroy();
console.log("discord.js: well");
process.exit(0);
