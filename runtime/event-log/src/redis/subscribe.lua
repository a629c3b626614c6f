-- KEYS: the streams. ARGV: group, consumer, session.
local group, me = ARGV[1], ARGV[2]
for _, stream in ipairs(KEYS) do
    local made = redis.pcall('XGROUP', 'CREATE', stream, group, '0', 'MKSTREAM')
    if made.err and not string.find(made.err, 'BUSYGROUP', 1, true) then
        return made
    end
end
remove_fence(group, me, redis.call('HGET', key_of(group, 'sessions'), me))
local sole, sole_session = sole_of(group)
if sole then
    -- It stops to read without scripts before this consumer begins to read.
    redis.call('XADD', fence_of(group, sole, sole_session), '*', 'joined', me)
end
redis.call('ZADD', key_of(group, 'consumers'), milliseconds(), me)
redis.call('HSET', key_of(group, 'sessions'), me, ARGV[3])
note_read(group, KEYS)
-- The new session claims again what was pending for this name.
redis.call('DEL', inbox_of(group, me))
for _, stream in ipairs(KEYS) do
    for _, ticket in ipairs(pending_of(group, me, stream)) do
        assign(group, ticket, me)
        redis.call('RPUSH', inbox_of(group, me), ticket)
    end
end
return redis.status_reply('OK')
