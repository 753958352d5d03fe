-- Every webhook call that FACEIT made, as it came.
create table deliveries (
    id              bigint generated always as identity primary key,
    received_at     timestamptz not null,
    event           text        not null check (length(event) between 1 and 128),
    event_id        text        not null unique check (length(event_id) between 1 and 160),
    match_id        text        check (length(match_id) between 1 and 128),
    payload_version bigint,
    demo_url        text,
    headers         jsonb       not null,
    body            bytea       not null
);

comment on table deliveries is 'Webhook calls from FACEIT as they came; kept for DELIVERY_RETENTION_DAYS';
comment on column deliveries.received_at is 'when the request arrived, by our clock';
comment on column deliveries.event is 'FACEIT''s event name; unknown ones are stored too';
comment on column deliveries.event_id is 'FACEIT''s event_id, or sha256:<hex of the body> when the body has none';
comment on column deliveries.match_id is 'payload.id of match events; null for others';
comment on column deliveries.payload_version is 'payload.version: grows with each change of the match; not the envelope''s version';
comment on column deliveries.demo_url is 'match_demo_ready only: the recording of one map';
comment on column deliveries.headers is 'the headers that matter (content type, user agent, request id), never the secret';
comment on column deliveries.body is 'the raw bytes';

-- Compressing the body is half of the work of storing a delivery; lz4 does it in a fraction of the time, where the server was built with it.
do $$ begin
    execute 'alter table deliveries alter column body set compression lz4';
exception when feature_not_supported or syntax_error then
    null;
end $$;

-- The same change of a match announced twice, under whatever event id. One demo per map may come under one version. Without a version nothing is the
-- same (nulls are distinct); such rows are in the index all the same, because the deliveries of a match are looked up by it too.
create unique index deliveries_once on deliveries (match_id, event, payload_version, coalesce(demo_url, ''))
    where match_id is not null;
create index deliveries_by_age on deliveries (received_at);
