-- ARGV: group, ticket, error, attempts.
-- Returns the id of the dead letter, or nil if the entry is not pending.
local group, ticket = ARGV[1], ARGV[2]
if not is_pending(group, ticket) then
    return false
end
local id, stream = entry_of(ticket)
local fields = fields_of(stream, id) or {}
local lane = redis.call('HGET', key_of(group, 'pending'), ticket) or lane_of(stream, fields)
local letter = {
    'XADD', DEAD, '*', 'group', group, 'stream', stream, 'entry', id,
    'attempts', ARGV[4], 'error', ARGV[3], '@lane', lane,
}
for i = 1, #fields, 2 do
    if fields[i] ~= '@lane' then
        letter[#letter + 1] = 'original.' .. fields[i]
        letter[#letter + 1] = fields[i + 1]
    end
end
local parked = redis.call(unpack(letter))
acknowledge(group, ticket)
return parked
