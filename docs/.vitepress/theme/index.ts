import type { Theme } from 'vitepress';
import DefaultTheme from 'vitepress/theme';
import { h } from 'vue';
import EvictionDemo from './cache/EvictionDemo.vue';
import FailoverDemo from './failover/FailoverDemo.vue';
import LoadBalancerDemo from './lb/LoadBalancerDemo.vue';
import LeaseDemo from './lease/LeaseDemo.vue';
import PrecomputeDemo from './precompute/PrecomputeDemo.vue';
import QueueDemo from './queue/QueueDemo.vue';
import HashRingDemo from './ring/HashRingDemo.vue';
import HeroRing from './ring/HeroRing.vue';
import ShardsDemo from './shards/ShardsDemo.vue';
import './demo/demo.css';
import './style.css';

const theme: Theme = {
  extends: DefaultTheme,
  Layout: () => h(DefaultTheme.Layout, null, { 'home-hero-image': () => h(HeroRing) }),
  enhanceApp({ app }) {
    app.component('EvictionDemo', EvictionDemo);
    app.component('FailoverDemo', FailoverDemo);
    app.component('HashRingDemo', HashRingDemo);
    app.component('LeaseDemo', LeaseDemo);
    app.component('LoadBalancerDemo', LoadBalancerDemo);
    app.component('PrecomputeDemo', PrecomputeDemo);
    app.component('QueueDemo', QueueDemo);
    app.component('ShardsDemo', ShardsDemo);
  },
};

export default theme;
