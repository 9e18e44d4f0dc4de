"""What every row of the table shares: places, programs, content, manifests, a tracker."""
