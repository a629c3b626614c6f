-- ARGV: group, then tickets.
for i = 2, #ARGV do
    acknowledge(ARGV[1], ARGV[i])
end
return redis.status_reply('OK')
