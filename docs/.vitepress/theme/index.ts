import type { Theme } from 'vitepress';
import DefaultTheme from 'vitepress/theme';
import { defineAsyncComponent, h } from 'vue';
import HeroRing from './ring/HeroRing.vue';
import './demo/demo.css';
import './style.css';

/** Each is a package at work, so a page loads only its own. */
const demos = {
  EvictionDemo: () => import('./cache/EvictionDemo.vue'),
  FailoverDemo: () => import('./failover/FailoverDemo.vue'),
  HashRingDemo: () => import('./ring/HashRingDemo.vue'),
  LeaseDemo: () => import('./lease/LeaseDemo.vue'),
  LoadBalancerDemo: () => import('./lb/LoadBalancerDemo.vue'),
  PrecomputeDemo: () => import('./precompute/PrecomputeDemo.vue'),
  QueueDemo: () => import('./queue/QueueDemo.vue'),
  ShardsDemo: () => import('./shards/ShardsDemo.vue'),
};

const theme: Theme = {
  extends: DefaultTheme,
  Layout: () => h(DefaultTheme.Layout, null, { 'home-hero-image': () => h(HeroRing) }),
  enhanceApp({ app }) {
    for (const [name, load] of Object.entries(demos)) app.component(name, defineAsyncComponent(load));
  },
};

export default theme;
