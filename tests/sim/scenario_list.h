/* Every scenario has a line here, SCENARIO(name), in the order of their telling. */
SCENARIO(two)
SCENARIO(thousand)
SCENARIO(restart)
SCENARIO(churn)
SCENARIO(sybil)
SCENARIO(eclipse)
SCENARIO(dht_big)
