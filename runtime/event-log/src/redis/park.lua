-- ARGV: group, ticket, error, attempts.
-- Returns the id of the dead letter, or nil if the entry is not pending. The letter of an entry with very many fields
-- keeps the event, and of the other fields the first.
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
local function keep(name, value)
    letter[#letter + 1] = 'original.' .. name
    letter[#letter + 1] = value
end
local event = field(fields, 'event')
if event then
    keep('event', event)
end
for i = 1, math.min(#fields, LONGEST_COMMAND), 2 do
    if fields[i] ~= '@lane' and fields[i] ~= 'event' then
        keep(fields[i], fields[i + 1])
    end
end
local parked = redis.call(unpack(letter))
acknowledge(group, ticket)
return parked
