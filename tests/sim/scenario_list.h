/* Every scenario has a line here, SCENARIO(name), in the order of their telling. */
SCENARIO(two)
