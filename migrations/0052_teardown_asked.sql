-- Staff may have a match taken down before its end. Written by whoever asks and never by a run, so that neither writes over the other.
alter table matches add column teardown_at timestamptz;

comment on column matches.teardown_at is 'when staff last asked to have it taken down; it counts for the life that the match had then';
