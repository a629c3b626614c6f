-- ARGV: group, consumer, session.
if is_current(ARGV[1], ARGV[2], ARGV[3]) then
    -- Below every time, so that it counts as dead; without the sign, when it left.
    redis.call('ZADD', key_of(ARGV[1], 'consumers'), -milliseconds(), ARGV[2])
end
return redis.status_reply('OK')
