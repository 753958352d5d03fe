"""A stock discord.py bot against the simulator: what a bot like Muster does, and nothing that is made for the simulator."""

import asyncio
import os
import sys

import aiohttp
import discord
import yarl
from discord import app_commands

CONTROL = os.environ["SIMULATOR_CONTROL"]
GUILD = 1000000000000000000
CATEGORY = 1000000000000000010
LOBBY = 1000000000000000011
CHAT = 1000000000000000012
ADA = 1000000000000002001
BEN = 1000000000000002002

# The two addresses that the library has no setting for.
discord.http.Route.BASE = os.environ["SIMULATOR_API"]
discord.gateway.DiscordWebSocket.DEFAULT_GATEWAY = yarl.URL(os.environ["SIMULATOR_GATEWAY"])


def check(what, holds):
    if not holds:
        raise AssertionError(f"not so: {what}")
    print(f"  {what}", flush=True)


async def control(method, path, body=None):
    async with aiohttp.ClientSession() as session:
        async with session.request(method, f"{CONTROL}/control{path}", json=body) as answer:
            if answer.status != 200:
                raise AssertionError(f"{method} {path}: {answer.status} {await answer.text()}")
            return await answer.json()


class MoveMe(discord.ui.View):
    @discord.ui.button(label="Move me", custom_id="move")
    async def move(self, interaction, _button):
        await interaction.response.edit_message(content="Moved", view=None)


class Bot(discord.Client):
    def __init__(self):
        super().__init__(intents=discord.Intents(guilds=True, voice_states=True))
        self.tree = app_commands.CommandTree(self)

        @self.tree.command(name="match", description="My match")
        @app_commands.describe(id="Which")
        async def match(interaction: discord.Interaction, id: str):
            await interaction.response.defer(ephemeral=True)
            view = MoveMe()
            await interaction.edit_original_response(content=f"You play {id}", view=view)
            await interaction.followup.send("Good luck", ephemeral=True)

    async def heard(self, name, holds=lambda *told: True):
        return await self.wait_for(name, check=holds, timeout=30)

    async def play(self):
        await self.wait_until_ready()
        check("it logs in", self.user.bot and self.application_id == self.user.id)
        guild = self.get_guild(GUILD)
        check("the guild came over the gateway", guild.name == "Clan" and len(guild.channels) == 3)
        check("so did who sits where", [m.id for m in guild.get_channel(LOBBY).members] == [ADA])
        check("the guild over REST", (await self.fetch_guild(GUILD)).approximate_member_count == 3)
        check("channels over REST", len(await guild.fetch_channels()) == 3)
        check("roles over REST", len(await guild.fetch_roles()) == 3)
        ada = await guild.fetch_member(ADA)
        check("a member over REST", ada.display_name == "Ada" and any(r.name == "Staff" for r in ada.roles))
        check("a voice state over REST", (await ada.fetch_voice()).channel.id == LOBBY)
        category = guild.get_channel(CATEGORY)
        check("what it may do there", category.permissions_for(guild.me).move_members)

        announced = asyncio.create_task(self.heard("guild_channel_create"))
        await asyncio.sleep(0)
        allowed = discord.PermissionOverwrite(view_channel=True, connect=True, manage_channels=True, move_members=True)
        overwrites = {
            guild.default_role: discord.PermissionOverwrite(view_channel=False, connect=False),
            guild.me: allowed,
            ada: discord.PermissionOverwrite(view_channel=True, connect=True, speak=True),
        }
        room = await guild.create_voice_channel(
            "Match 1", category=category, user_limit=5, overwrites=overwrites, reason="match 1"
        )
        check("it creates a private voice channel", room.user_limit == 5 and len(room.overwrites) == 3)
        check("and is told of it", (await announced).id == room.id)

        moved = asyncio.create_task(self.heard("voice_state_update", lambda who, *_: who.id == ADA))
        await asyncio.sleep(0)
        await ada.move_to(room, reason="her match")
        _, before, after = await moved
        check("it moves a member and hears of it", before.channel.id == LOBBY and after.channel.id == room.id)
        check("the member is seen in the channel", [m.id for m in room.members] == [ADA])

        joined = asyncio.create_task(self.heard("voice_state_update", lambda who, *_: who.id == BEN))
        await asyncio.sleep(0)
        await control("POST", "/discord/voice", {"guild_id": str(GUILD), "user_id": str(BEN), "channel_id": str(LOBBY)})
        ben, _, after = await joined
        check("it hears of somebody who connects", after.channel.id == LOBBY)
        await ben.move_to(None)
        check("it disconnects a member", True)
        try:
            await ben.move_to(room)
            refused = None
        except discord.HTTPException as error:
            refused = error
        check("who isn't in voice can't be moved", refused.code == 40032 and refused.status == 400)

        changed = asyncio.create_task(self.heard("guild_channel_update", lambda _, now: now.name == "Match 1 over"))
        await asyncio.sleep(0)
        await room.edit(name="Match 1 over")
        await changed
        check("it renames the channel and is told of it", guild.get_channel(room.id).name == "Match 1 over")
        await room.set_permissions(ben, view_channel=True, connect=True)
        check("it lets somebody else in", ben in (await guild.fetch_channel(room.id)).overwrites)

        chat = await self.fetch_channel(CHAT)
        message = await chat.send("Standing by", embed=discord.Embed(title="Match 1"))
        check("it writes and changes a message", (await message.edit(content="Done")).content == "Done")
        await message.delete()
        check("it writes to a member", (await ada.send("Hello")).content == "Hello")

        check("it registers a command", len(await self.tree.sync()) == 1)
        ask = {"guild_id": str(GUILD), "user_id": str(ADA), "command": "match", "options": {"id": "1"}}
        asked = await control("POST", "/discord/interactions", ask)
        seen = {}
        for _ in range(300):
            seen = await control("GET", f"/discord/interactions/{asked['id']}")
            if seen["further"]:
                break
            await asyncio.sleep(0.1)
        check("its answer is seen", seen["content"] == "You play 1" and seen["private"])
        press = {"guild_id": str(GUILD), "user_id": str(ADA), "button": "move", "of": asked["id"]}
        await control("POST", "/discord/interactions", press)
        seen = await control("GET", f"/discord/interactions/{asked['id']}")
        check("a button reaches it and its message changes", seen["content"] == "Moved")

        resumed = asyncio.create_task(self.heard("resumed"))
        await asyncio.sleep(0)
        await control("POST", "/gateway/reconnect", {})
        await resumed
        check("it resumes when asked to reconnect", True)

        left = lambda who, _, now: who.id == ADA and now.channel is None
        emptied = asyncio.create_task(self.heard("voice_state_update", left))
        gone = asyncio.create_task(self.heard("guild_channel_delete", lambda channel: channel.id == room.id))
        await asyncio.sleep(0)
        await room.delete(reason="over")
        await asyncio.gather(emptied, gone)
        check("it deletes the channel, and hears of it and of who sat there", guild.get_channel(room.id) is None)
        unknown = await control("GET", "/unknown")
        check(f"the simulator knew every request {unknown}", unknown == [])


async def main():
    async with Bot() as bot:
        serving = asyncio.create_task(bot.start(os.environ["SIMULATOR_TOKEN"]))
        playing = asyncio.create_task(bot.play())
        done, _ = await asyncio.wait({serving, playing}, timeout=180, return_when=asyncio.FIRST_COMPLETED)
        if playing not in done:
            raise AssertionError("it ended or got stuck before it was done") from (
                serving.exception() if serving in done else None
            )
        playing.result()
    print("discord.py: well")


try:
    discord.utils.setup_logging(level=30)
    asyncio.run(main())
except BaseException as error:
    print("discord.py:", repr(error), file=sys.stderr)
    raise
