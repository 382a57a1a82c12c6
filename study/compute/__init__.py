"""What trials run on: Ray on this machine or a cluster, its nodes, its share for each study."""
