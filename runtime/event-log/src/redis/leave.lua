-- KEYS: the streams. ARGV: group, consumer, session.
local group, me = ARGV[1], ARGV[2]
if is_current(group, me, ARGV[3]) then
    -- Until another consumer takes them over, the entries keep their lanes from the others.
    assign_pending(group, me, KEYS)
    remove_fence(group, me, ARGV[3])
    note_read(group, KEYS)
    -- A negative time is older than every timeout; its absolute value is the time of leaving.
    redis.call('ZADD', key_of(group, 'consumers'), -milliseconds(), me)
end
return redis.status_reply('OK')
