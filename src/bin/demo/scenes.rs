//! The scenes of the story, in order: what each shows, what FACEIT says, and who walks where.

use std::time::Duration;

use crate::{
    cast::{AFK_ROOM, BACKYARD, HARBOUR, LOBBY, Match, cup_match, hub_match, patchy_match, restarted_match},
    show::Who,
    story::Story,
};

/// Title and explanation of each step.
pub const STEPS: [(&str, &str); 13] = [
    (
        "before the first match",
        "Two Discord servers, one Muster. People wait in Lobby, Garden and Quay. All but Pike and Oak have linked their FACEIT \
         accounts to Discord; so have Birch and Mint, but they are not in voice.",
    ),
    (
        "a match is announced for later",
        "FACEIT creates cup matches long before they are played. It is only SCHEDULED, so Muster makes no channels yet.",
    ),
    (
        "a hub match, five against five",
        "Ten players; eight are linked and here. Muster makes one private channel for each team and moves the eight. Pike \
         is not linked and stays; Magpie is not on this server.",
    ),
    (
        "somebody links in the middle of his match",
        "Pike types /link, signs in at FACEIT, and so proves who he is. He is let into his team's channel and moved at once.",
    ),
    (
        "what comes twice, or late, changes nothing",
        "FACEIT sends one webhook again and another one out of order. Heron goes to the AFK room by himself: nobody drags \
         him back. Not one request to Discord.",
    ),
    (
        "two matches in two servers at the same moment",
        "The cup belongs to the Harbour Club: its match from before is played there, two against two. Of the new hub match in the \
         Backyard only Maple and Basil are linked and here.",
    ),
    (
        "latecomers",
        "Birch comes online in the Lobby and is moved the moment he connects. Mint comes online in the AFK room, which nobody is \
         moved out of, and then goes to the Lobby.",
    ),
    (
        "four matches at once",
        "Another cup match is READY, without a CONFIGURING before. This is the busiest moment of the story.",
    ),
    (
        "the first hub match is over",
        "Its channels stay for a moment (here 2 s). Robin, Wren and Swift hang up; the others go back to where they came from: \
         Falcon to the Garden, the rest to the Lobby. Heron is left where he went.",
    ),
    (
        "one match is cancelled, one is finished",
        "FACEIT cancels the second cup match; the first one has been played. Thunder and Lightning hang up, the others go \
         back to the Quay.",
    ),
    (
        "the cancelled match is played after all",
        "The same match id, but Europa plays instead of Titan, who stays at the Quay. The recording of the other cup \
         match is ready, too, and kept.",
    ),
    (
        "a match is aborted",
        "FACEIT gives up the second hub match: too few came. Its four players hang up before Muster could bring them back, and \
         only the channels are left to delete.",
    ),
    (
        "the last match is over",
        "Nobody needs a channel any more: as in the beginning, only the servers' own rooms are left.",
    ),
];

impl Story<'_> {
    pub async fn tell(&mut self) -> anyhow::Result<()> {
        let (mut hub, mut cup) = (hub_match(), cup_match());
        let (mut patchy, mut restarted) = (patchy_match(), restarted_match());

        self.next_step();
        self.pause(0.3).await;
        self.show.print_picture();
        self.pause(1.0).await;
        self.announced_for_later(&mut cup).await?;
        self.hub_match(&mut hub).await?;
        self.linked_in_mid_match(&hub).await?;
        self.twice_and_late(&hub).await?;
        self.two_at_once(&mut cup, &mut patchy).await?;
        self.latecomers(&mut cup, &mut patchy).await?;
        self.four_at_once(&mut restarted).await?;
        self.hub_match_over(&mut hub).await?;
        self.cancelled_and_finished(&mut restarted, &mut cup).await?;
        self.played_after_all(&mut restarted, &mut cup).await?;
        self.aborted(&mut patchy).await?;
        self.last_one_over(&mut restarted).await?;
        self.until_idle().await
    }

    async fn announced_for_later(&mut self, cup: &mut Match) -> anyhow::Result<()> {
        self.next_step();
        cup.scheduled_at = Some(self.clock.now().unix_timestamp() + 2 * 3600);
        self.announce(cup, "SCHEDULED", "match_object_created", 1).await?;
        self.until_idle().await?;
        self.pause(1.0).await;
        Ok(())
    }

    async fn hub_match(&mut self, hub: &mut Match) -> anyhow::Result<()> {
        self.next_step();
        self.about_to_stand(hub, "CONFIGURING").await?;
        self.announce(hub, "CONFIGURING", "match_status_configuring", 5).await?;
        self.until_stands(hub).await;
        self.pause(2.5).await;
        Ok(())
    }

    async fn linked_in_mid_match(&mut self, hub: &Match) -> anyhow::Result<()> {
        self.next_step();
        self.links("Pike", hub).await?;
        self.pause(1.5).await;
        Ok(())
    }

    async fn twice_and_late(&mut self, hub: &Match) -> anyhow::Result<()> {
        self.next_step();
        let mut hub = hub.clone();
        self.walk("Heron", Some(AFK_ROOM), "goes to the AFK room by himself")
            .await?;
        self.pause(1.0).await;
        self.until_idle().await?;
        let before = self.discord_requests().await?;
        self.publish(&mut hub, "READY").await?;
        let ready = self.call(&hub, "match_status_ready", 7, "is READY");
        let mut again = ready.clone();
        again.headline = format!("once more: {}", ready.headline);
        let late = self.call(
            &hub,
            "match_status_configuring",
            6,
            "is CONFIGURING (late: an older version)",
        );
        for call in [ready, again, late] {
            self.deliver(&[call]).await?;
            self.pause(0.4).await;
        }
        self.until_idle().await?;
        let requests = self.discord_requests().await? - before;
        let said = format!("all three were taken; for them, {requests} requests to Discord were made");
        self.show.say(Who::Demo, &said);
        if requests > 0 {
            self.told.problems.push(said);
        }
        self.pause(1.0).await;
        Ok(())
    }

    async fn two_at_once(&mut self, cup: &mut Match, patchy: &mut Match) -> anyhow::Result<()> {
        self.until_room_for(BACKYARD, 4, Duration::ZERO).await?;
        self.next_step();
        self.publish(cup, "CONFIGURING").await?;
        self.publish(patchy, "CONFIGURING").await?;
        let calls = [
            self.call(cup, "match_status_configuring", 8, "is CONFIGURING"),
            self.call(patchy, "match_status_configuring", 3, "is CONFIGURING"),
        ];
        self.about_to_stand(cup, "CONFIGURING, at the same moment as another")
            .await?;
        self.about_to_stand(patchy, "CONFIGURING, at the same moment as another")
            .await?;
        self.deliver(&calls).await?;
        self.until_stands(cup).await;
        self.until_stands(patchy).await;
        self.pause(2.0).await;
        Ok(())
    }

    async fn latecomers(&mut self, cup: &mut Match, patchy: &mut Match) -> anyhow::Result<()> {
        self.next_step();
        self.comes_late("Birch", LOBBY, "comes online and joins the Lobby", patchy)
            .await?;
        self.pause(1.0).await;
        self.walk("Mint", Some(AFK_ROOM), "comes online and joins the AFK room")
            .await?;
        self.pause(1.0).await;
        self.comes_late("Mint", LOBBY, "goes to the Lobby", patchy).await?;
        self.announce(patchy, "READY", "match_status_ready", 4).await?;
        self.announce(cup, "READY", "match_status_ready", 9).await?;
        self.until_idle().await
    }

    async fn four_at_once(&mut self, restarted: &mut Match) -> anyhow::Result<()> {
        self.until_room_for(HARBOUR, 4, Duration::ZERO).await?;
        self.next_step();
        self.about_to_stand(restarted, "READY").await?;
        self.announce(restarted, "READY", "match_status_ready", 5).await?;
        self.until_stands(restarted).await;
        self.pause(0.3).await;
        self.show.print_picture();
        self.pause(2.0).await;
        Ok(())
    }

    async fn hub_match_over(&mut self, hub: &mut Match) -> anyhow::Result<()> {
        self.until_room_for(BACKYARD, 5, self.grace).await?;
        self.next_step();
        // Otter, Beaver, Salmon, Pike and Falcon.
        self.told.returns += 5;
        self.announce(hub, "FINISHED", "match_status_finished", 12).await?;
        self.pause(0.5).await;
        for name in ["Robin", "Wren", "Swift"] {
            self.walk(name, None, "hangs up").await?;
        }
        self.until_gone(hub).await;
        self.pause(1.0).await;
        Ok(())
    }

    async fn cancelled_and_finished(&mut self, restarted: &mut Match, cup: &mut Match) -> anyhow::Result<()> {
        // Six go back now, and four are moved in right afterwards.
        self.until_room_for(HARBOUR, 10, self.grace).await?;
        self.next_step();
        self.told.returns += 6;
        self.announce(restarted, "CANCELLED", "match_status_cancelled", 6)
            .await?;
        self.pause(1.0).await;
        self.announce(cup, "FINISHED", "match_status_finished", 14).await?;
        for name in ["Thunder", "Lightning"] {
            self.walk(name, None, "hangs up").await?;
        }
        self.until_gone(restarted).await;
        self.until_gone(cup).await;
        self.until_idle().await
    }

    async fn played_after_all(&mut self, restarted: &mut Match, cup: &mut Match) -> anyhow::Result<()> {
        self.next_step();
        restarted.teams[1].roster = vec!["Luna", "Europa"];
        self.about_to_stand(restarted, "READY again, another roster").await?;
        self.announce(restarted, "READY", "match_status_ready", 16).await?;
        let url = format!("https://demos.example.invalid/cs2/{}-1-1.dem.zst", cup.id);
        cup.demo_url = Some(url.clone());
        self.publish(cup, "FINISHED").await?;
        let recording = self.call(cup, "match_demo_ready", 15, "has a recording");
        self.deliver(&[recording]).await?;
        self.told.recordings.push((cup.id, url));
        self.until_stands(restarted).await;
        self.pause(2.0).await;
        Ok(())
    }

    async fn aborted(&mut self, patchy: &mut Match) -> anyhow::Result<()> {
        self.next_step();
        self.announce(patchy, "ABORTED", "match_status_aborted", 5).await?;
        for name in ["Maple", "Birch", "Basil", "Mint"] {
            self.walk(name, None, "hangs up").await?;
        }
        self.until_gone(patchy).await;
        Ok(())
    }

    async fn last_one_over(&mut self, restarted: &mut Match) -> anyhow::Result<()> {
        self.until_room_for(HARBOUR, 4, self.grace).await?;
        self.next_step();
        self.told.returns += 4;
        self.announce(restarted, "FINISHED", "match_status_finished", 17)
            .await?;
        self.until_gone(restarted).await;
        self.pause(0.5).await;
        self.show.print_picture();
        self.pause(1.0).await;
        Ok(())
    }
}
