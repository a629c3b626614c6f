-- ARGV: group, ticket, milliseconds until the next attempt, error.
-- Returns the number of failed attempts, or nil if the entry is not pending.
local group, ticket = ARGV[1], ARGV[2]
if not is_pending(group, ticket) then
    return false
end
local failed = redis.call('HGET', key_of(group, 'failures'), ticket) or '0 '
local attempts = tonumber(string.match(failed, '^%d+')) + 1
local due = milliseconds() + tonumber(ARGV[3])
local record = string.format('%d %.0f %s', attempts, due, ARGV[4])
redis.call('HSET', key_of(group, 'failures'), ticket, record)
return attempts
