-- ARGV: group, consumer, session.
if is_current(ARGV[1], ARGV[2], ARGV[3]) then
    -- A negative time is older than every timeout; its absolute value is the time of leaving.
    redis.call('ZADD', key_of(ARGV[1], 'consumers'), -milliseconds(), ARGV[2])
end
return redis.status_reply('OK')
